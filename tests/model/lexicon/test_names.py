import pytest

from model.lexicon.lexicon import Lexicon
from model.lexicon.names import Meaning, meanings, told, with_names
from tests.model.lexicon.label_names import AMBIGUOUS, FORMS, LATER, OTHERS, SHOP

BUILT_IN = Lexicon.load()


def meaning(name: str, lexicon: Lexicon = BUILT_IN) -> Meaning:
    return meanings(lexicon, {name: ()})[name]


@pytest.mark.parametrize("kind", FORMS)
def test_names_are_known_in_other_forms_and_in_the_words_of_a_shop(kind: str) -> None:
    for names in (FORMS[kind], SHOP[kind]):
        assert {name: meaning(name).kind for name in names} == dict.fromkeys(names, kind)


def test_of_names_that_the_rules_were_not_made_for_most_are_known_and_none_is_mistaken() -> None:
    found = [(meaning(name).kind, kind) for kind, names in LATER.items() for name in names]
    assert [pair for pair in found if pair[0] not in ("", pair[1])] == []
    assert sum(kind == right for kind, right in found) >= 83


def test_a_name_of_something_else_is_taken_for_nothing() -> None:
    assert {name: meaning(name) for name in OTHERS} == dict.fromkeys(OTHERS, Meaning())


def test_an_ambiguous_name_is_taken_for_nothing_and_its_kinds_are_told() -> None:
    for name in AMBIGUOUS:
        found = meaning(name)
        assert (found.kind, len(found.others)) == ("", 2), name
    assert meaning("赠品文字").told(BUILT_IN).startswith("ambiguous: it may be copy (文案) or gift (赠品)")


def test_a_project_is_told_what_its_labels_are_taken_for() -> None:
    said = told(BUILT_IN, {"Promo text": (), "K7": ("K7", "Gifts"), "Background": ()})
    assert said["Promo text"] == "taken for copy (文案) by its words"
    assert said["K7"] == "taken for gift (赠品) by its name"
    assert said["Background"].startswith(
        "not known; names known are product (主体), gift (赠品), logo, copy (文案), price"
    )


def test_a_label_known_by_name_goes_before_labels_known_by_their_words() -> None:
    found = meanings(BUILT_IN, {"文案": (), "促销活动文案": (), "Headline text": ()})
    assert found["文案"].kind == "copy"
    for label in ("促销活动文案", "Headline text"):
        assert found[label] == Meaning(others=("copy",), rivals=("文案",))
    assert "these labels may mean the same: 文案" in found["Headline text"].told(BUILT_IN)


def test_of_two_labels_that_mean_the_same_by_their_words_neither_is_taken() -> None:
    found = meanings(BUILT_IN, {"原价": (), "现价": (), "Brand logos": ()})
    assert [found[label].kind for label in found] == ["", "", "logo"]
    assert found["原价"].rivals == ("现价",)


def test_further_names_of_a_label_decide_where_the_first_says_nothing() -> None:
    assert meanings(BUILT_IN, {"E3": ("E3", "Promotional copy")})["E3"].kind == "copy"
    assert meanings(BUILT_IN, {"E4": ("E4", "brand logos", "Price tags")})["E4"].others == ("logo", "price")


def test_a_lexicon_of_ones_own_overrides() -> None:
    own = BUILT_IN.extended(
        Lexicon.parse(
            "[kinds.slogan]\n"
            '[kinds.badge]\naliases = ["卖点", "promo text", "logo"]\n'
            '[kinds.gift]\naliases = ["gift card", "店庆小物"]\n'
        )
    )
    for name in ("卖点", "Promo texts", "LOGO", "text (promo)"):
        assert meaning(name, own).kind == "badge", name
    for name in ("Gift Cards", "店庆小物图"):
        assert meaning(name, own).kind == "gift", name
    assert (meaning("文案", own).kind, meaning("Slogans", own).kind) == ("copy", "slogan")


def test_a_project_gets_its_labels_as_aliases() -> None:
    lexicon = with_names(BUILT_IN, {"Promo text": (), "K7": ("K7", "赠品"), "LOGO": (), "odd": (), "赠品文字": ()})
    kinds = {label: lexicon.kind_of(label).name for label in ("Promo text", "K7", "LOGO", "odd", "赠品文字")}
    assert kinds == {"Promo text": "copy", "K7": "gift", "LOGO": "logo", "odd": "", "赠品文字": ""}
    assert BUILT_IN.kind_of("Promo text").name == ""


def test_many_and_long_names_cost_little() -> None:
    names = {f"label {number} of price": (f"图{number}文案",) * 100 for number in range(1_000)}
    assert len(meanings(BUILT_IN, names)) == 1_000
    assert meaning("主体" * 5_000) == meaning("price " * 5_000) == Meaning()

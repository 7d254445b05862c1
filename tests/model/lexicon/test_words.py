"""Texts of shop pictures in many languages, one a line after its language, in a file for each kind of text.

The files in ``seen`` are what the rules were developed on. Those in ``unseen`` were written before the rules, and the
rules are not changed for their sake: they say how much of such texts is known.
"""

from pathlib import Path

import pytest

from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from testing.features import block, features

FOLDER = Path(__file__).parent
LABELS = ("price", "gift", "copy")
CUES = CueSet(LABELS, Lexicon.load())
KINDS = {
    "price": ({"price"}, set()),
    "not_price": (set(), {"price"}),
    "gift": ({"gift"}, set()),
    "not_gift": (set(), {"gift"}),
    "copy": ({"copy"}, set()),
    "brand": (set(), set(LABELS)),
}
"""By kind of text: the labels that it must get, and those that it must not."""
FLOOR = {"price": 0.95, "not_price": 0.95, "gift": 0.95, "not_gift": 0.95, "copy": 0.88, "brand": 0.95}


def wrong(file: Path) -> tuple[list[str], int]:
    """Return the lines of a list that get labels they must not get, or lack one, and how many lines there are."""
    needed, forbidden = KINDS[file.stem]
    lines = file.read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[1] for line in lines]
    probability_NK = CUES.probabilities([features(block(text, left=0.4, top=0.6)) for text in texts])
    missed = []
    for line, probability_K in zip(lines, probability_NK.tolist(), strict=True):
        given = {label for label, p in zip(LABELS, probability_K, strict=True) if p > 0.5}
        if needed - given or given & forbidden:
            missed.append(f"{line} {sorted(given)}")
    return missed, len(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_that_the_rules_were_made_with_are_all_known(kind: str) -> None:
    assert wrong(FOLDER / "seen" / f"{kind}.txt")[0] == []


@pytest.mark.parametrize("kind", KINDS)
def test_most_texts_that_the_rules_were_not_made_with_are_known(kind: str) -> None:
    missed, count = wrong(FOLDER / "unseen" / f"{kind}.txt")
    assert count > 60
    assert 1 - len(missed) / count >= FLOOR[kind]

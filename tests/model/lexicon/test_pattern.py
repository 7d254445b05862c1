import logging
import re
import time
from pathlib import Path

import pytest

from model.lexicon import pattern
from model.lexicon.lexicon import Lexicon
from model.lexicon.pattern import LONGEST, Pattern

HOSTILE = [
    "(a+)+b",
    "(a|a)*b",
    "(a|aa)+b",
    "(.*)*x",
    "a*a*a*a*a*a*b",
    "(x+x+)+y",
    "(?=(a+)+b)a",
    "(a?){40}a{40}$",
    r"(a*)*\1b",
]


def test_it_finds_what_re_finds() -> None:
    lexicon = Lexicon.load()
    texts = [
        "满199减50",
        "FREE GIFT with it",
        "buy 2, get 1 free",
        "¥ 19.9 元起",
        "送货上门",
        "free gift wrapping",
        "大500ml",
    ]
    cues = [cue for kind in lexicon.kinds.values() for cue in kind.cues]
    patterns = [(re_of(cue.pattern), cue.search) for cue in cues if cue.pattern]
    wholes = [(re_of(cue.full), cue.whole) for cue in cues]
    without = [(re_of(part), Pattern(part, "")) for kind in lexicon.kinds.values() for part in kind.without]
    compared = 0
    for text in texts:
        for expression, found in patterns:
            if expression:
                assert found.is_in(text) == bool(expression.search(text))
                compared += 1
        for expression, whole in wholes:
            if expression and whole:
                assert whole.is_all_of(text) == bool(expression.fullmatch(text))
                compared += 1
        for expression, found in without:
            if expression:
                assert found.taken_out_of(text) == expression.sub("", text)
                compared += 1
    assert compared > 100


def re_of(expression: str) -> re.Pattern[str] | None:
    """The same in the standard library, None where that lacks what the expression uses, such as a class of letters."""
    try:
        return re.compile(expression, re.IGNORECASE)
    except re.error:
        return None


@pytest.mark.parametrize("expression", HOSTILE)
def test_a_hostile_expression_is_refused_when_a_lexicon_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expression: str
) -> None:
    monkeypatch.setattr(pattern, "SECONDS", 0.05)
    path = tmp_path / "own.toml"
    path.write_text(f"[[kinds.a.cues]]\nname = \"mine\"\nweight = 1.0\npattern = '{expression}'\n")
    with pytest.raises(ValueError, match=r"'mine' in the lexicon: .* write it without a repetition inside"):
        Lexicon.load(path)
    path.write_text(f"[kinds.a]\nwithout = ['{expression}']\n")
    with pytest.raises(ValueError, match="'a' in the lexicon"):
        Lexicon.load(path)


def test_one_that_turns_out_slow_costs_its_time_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a checkpoint that was made with an earlier release's lexicon."""
    monkeypatch.setattr(pattern, "SECONDS", 0.1)
    slow = Pattern("(x+x+)+z", "mine")
    began = time.process_time()
    with caplog.at_level(logging.ERROR):
        assert not any(slow.is_in("x" * 300 + "\nz") for _ in range(100))
    assert time.process_time() - began < 2
    assert caplog.text.count("passed over") == 1
    assert slow.taken_out_of("xxz") == "xxz"


def test_patterns_see_no_more_than_a_bounded_text() -> None:
    assert Pattern("b", "x").is_in("a" * (LONGEST - 1) + "b")
    assert not Pattern("b", "x").is_in("a" * LONGEST + "b")


@pytest.mark.parametrize("name", ["lexicon.toml"])
def test_the_built_in_ones_are_quick_on_any_text(name: str) -> None:
    for kind in Lexicon.load().kinds.values():
        kind.check()
        # The texts of the check end with the expression, and only so much of a text is searched.
        assert all(len(part) < LONGEST for cue in kind.cues for part in (cue.pattern, cue.full, *kind.without))

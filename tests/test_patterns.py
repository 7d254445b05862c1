"""Every regular expression of the code takes a time in proportion to the text, whatever the text is."""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import labelstudio
import model.boxes
import model.regression
import model.weak_supervision
import sources
import store
import tagloom.evaluation
import worker
from model.boxes.roles import repeats_brand
from model.lexicon.cues import brand_names, names_brand
from worker.corpus.families import family_of

LENGTH = 20_000
SECONDS = 0.5  # of processor time; a quadratic one takes many
PACKAGES = (
    labelstudio,
    model.boxes,
    model.regression,
    model.weak_supervision,
    sources,
    store,
    tagloom.evaluation,
    worker,
)


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    yield f"{found.name}.{name}", value


PATTERNS = dict(patterns())


def hostile(characters: str) -> Iterator[str]:
    """Long texts of one of these, and of one and blanks in turn."""
    for character in dict.fromkeys(characters):
        yield character * LENGTH + "\0"
        yield (character + " ") * (LENGTH // 2) + "\0"


def test_all_are_found() -> None:
    assert {"labelstudio.tasks._PATH", "labelstudio.config._VARIABLE", "model.boxes.roles.PRICE_WORD"} <= set(PATTERNS)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_linear(name: str) -> None:
    pattern = PATTERNS[name]
    own = [character for character in pattern.pattern if character not in "\\^*+?|.{}"]
    for text in hostile("a1 \t价" + "".join(dict.fromkeys(own))[:12]):
        began = time.process_time()
        pattern.search(text)
        pattern.findall(text)
        pattern.split(text)
        assert time.process_time() - began < SECONDS, text[:5]


@pytest.mark.parametrize("bracket", ["(", "【", "[", "（x", "【a】", "((a)"])
def test_reading_a_brand_is_quick(bracket: str) -> None:
    title = bracket * (LENGTH // len(bracket))
    began = time.process_time()
    for _ in range(20):
        repeats_brand(title[:1000], title)
        names_brand(title[:1000], title, brand_names(title))
    family_of(title, {"family": title}, 1, "family")
    assert time.process_time() - began < 2

"""The worked example of a source in docs/extend.md, as it stands there, loaded and asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sources.answers import Said
from sources.interface import Item, Label, ReadBlock
from sources.places import places
from sources.process import ChildSource, Limits, SourceProcess, loaded
from tests.pages import example as written

LABELS = (Label("LOGO"), Label("赠品"))


@pytest.fixture
def example(tmp_path: Path) -> Iterator[dict[str, ChildSource]]:
    (tmp_path / "shop.py").write_text(written("extend.md", "A source of your own"), encoding="utf-8")
    (place,) = places(tmp_path)
    process = SourceProcess(place, Limits())
    yield {one.name: one for one in loaded(process, place, frozenset())}
    process.close()


def test_a_brand_in_the_picture_is_a_logo(example: dict[str, ChildSource]) -> None:
    block = ReadBlock("NOVA 2026", 0.1, 0.1, 0.3, 0.2, 0.9)
    assert example["brand list"].ask(Item(blocks=(block,), labels=LABELS)).as_json() == {"labels": {"LOGO": 0.9}}
    assert example["brand list"].ask(Item("NOVA 杯子", labels=LABELS)).as_json() == {}


def test_a_blue_corner_is_a_gift_with_a_box(example: dict[str, ChildSource], tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 100), "white")
    picture.save(tmp_path / "white.jpg")
    picture.paste((20, 30, 220), (0, 0, 20, 20))
    picture.save(tmp_path / "blue.jpg")
    blue = Item(labels=LABELS, fetch=lambda: tmp_path / "blue.jpg")
    assert example["blue corner"].ask(blue) == Said({"赠品": 1.0}, [["赠品", 0.0, 0.0, 0.2, 0.2]])
    white = Item(labels=LABELS, fetch=lambda: tmp_path / "white.jpg")
    assert example["blue corner"].ask(white).as_json() == {"labels": {"赠品": 0.3}}
    assert example["blue corner"].ask(Item(labels=LABELS)).as_json() == {}

"""Drawing: the same seed draws the same, other seeds draw others, and boxes lie in their pictures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tagloom.datasets.dataset import load
from tools.samples import shapes, type
from tools.samples.brands import CLASSES, brand
from tools.samples.catalogue import INDUSTRIES, LEVEL1
from tools.samples.draw import families, views, write
from tools.samples.family import LABELS, View


@pytest.fixture(scope="module")
def drawn() -> list[View]:
    return list(islice(views(7), 24))


def test_same_seed_draws_the_same_pixels_and_boxes(drawn: list[View]) -> None:
    for one, other in zip(drawn[:6], islice(views(7), 6), strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        assert (one.boxes, one.title, one.labels) == (other.boxes, other.title, other.labels)


def test_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(11, 4, tmp_path / name)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_written_folder_reads_back(tmp_path: Path, drawn: list[View]) -> None:
    write(7, 4, tmp_path)
    for sample, view in zip(load(tmp_path), drawn[:4], strict=True):
        assert (sample.id, sample.title, sample.labels) == (view.id, view.title, view.labels)
        assert [(box.label, box.x, box.extra) for box in sample.boxes] == [
            (box.label, box.x, box.extra) for box in view.boxes
        ]


def test_boxes_lie_in_the_picture(drawn: list[View]) -> None:
    for box in (box for view in drawn for box in view.boxes):
        assert min(box.x, box.y) >= 0
        assert min(box.width, box.height) > 0
        assert max(box.x + box.width, box.y + box.height) <= 100.001
        assert box.label in LABELS


def test_labels_are_those_of_the_boxes(drawn: list[View]) -> None:
    for view in drawn:
        assert set(view.labels) == {box.label for box in view.boxes}


def test_views_share_title_and_industry() -> None:
    for family in islice(families(5), 4):
        assert {(v.title, v.level1, v.level2, v.product_id) for v in family.views} == {
            (family.title, family.level1, family.level2, family.product_id)
        }
        assert [view.number for view in family.views] == list(range(1, len(family.views) + 1))


def test_seeds_of_different_classes_share_no_brand() -> None:
    one, other = _brands(20261121), _brands(1_000_000)
    assert not one & other


def _brands(seed: int) -> set[str]:
    from random import Random

    assert 20261121 % CLASSES != 1_000_000 % CLASSES
    made: Iterator[tuple[str, str]] = ((b.latin, b.chinese) for n in range(300) for b in [brand(Random(n), seed)])
    return {name for pair in made for name in pair}


def test_seeds_draw_other_products() -> None:
    titles = [{family.title for family in islice(families(seed), 5)} for seed in (1, 2)]
    assert not titles[0] & titles[1]


def test_industries_are_11_and_80() -> None:
    assert len(LEVEL1) == 11
    assert len({industry.level2 for industry in INDUSTRIES}) == len(INDUSTRIES) == 80


def test_every_industry_and_gift_has_a_shape() -> None:
    wanted = {industry.shape for industry in INDUSTRIES} | {
        shape for industry in INDUSTRIES for _, shape in industry.gifts
    }
    assert wanted <= set(shapes.names())


def test_missing_fonts_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type, "_files", dict)
    with pytest.raises(type.FontsMissingError, match="apt-get install fonts-noto-cjk") as caught:
        families(1)
    assert "\n" not in str(caught.value)

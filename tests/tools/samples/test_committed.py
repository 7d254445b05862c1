"""The committed set: as many pictures, as varied, and as small as promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagloom.datasets.dataset import Dataset, load
from tools.samples.draw import SEED
from tools.samples.family import LABELS, family

FOLDER = Path(__file__).parents[3] / "samples" / "data"


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(FOLDER)


def test_enough_pictures_and_families(data: Dataset) -> None:
    assert len(data) >= 600
    assert len({sample.product_id for sample in data}) >= 160


def test_all_industries_are_there(data: Dataset) -> None:
    assert len({sample.level1 for sample in data}) == 11
    assert len({sample.level2 for sample in data}) == 80


def test_boxes_per_picture(data: Dataset) -> None:
    assert 3.05 <= sum(len(sample.boxes) for sample in data) / len(data) <= 3.35


def test_shares_of_the_labels(data: Dataset) -> None:
    near = {"主体": 0.9, "LOGO": 0.5, "文案": 0.55, "价格": 0.3, "赠品": 0.25}
    for label in LABELS:
        assert sum(label in sample.labels for sample in data) / len(data) == pytest.approx(near[label], abs=0.07)


def test_labels_are_those_of_the_boxes(data: Dataset) -> None:
    assert all(set(sample.labels) == {box.label for box in sample.boxes} for sample in data)


def test_the_script_draws_this_set(data: Dataset) -> None:
    drawn = [(view.id, view.title, view.level2) for view in family(SEED, 0).views]
    assert drawn == [(sample.id, sample.title, sample.level2) for sample in data.samples[: len(drawn)]]


def test_it_is_small(data: Dataset) -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= 12e6


def test_pictures_open_with_a_long_side_of_400(data: Dataset) -> None:
    assert all(max(sample.open().size) == 400 for sample in data.samples[::40])

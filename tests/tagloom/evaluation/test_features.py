"""Features are kept by what the encoders see of a sample."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tagloom.datasets.dataset import Sample
from tagloom.evaluation.features import item_of, key_of


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    return Sample("a", tmp_path / "a.png", "title", "家电", "水壶", "p", ("主体",))


@pytest.mark.parametrize(
    "change",
    [{"picture": None}, {"id": "b"}, {"title": "x"}, {"level1": "x"}, {"level2": "x"}, {"texts": {"description": "x"}}],
    ids=str,
)
def test_an_edited_sample_has_another_key(sample: Sample, change: dict[str, Any]) -> None:
    assert key_of(replace(sample, **change)) != key_of(sample)


def test_labels_are_not_seen_by_encoders(sample: Sample) -> None:
    assert key_of(replace(sample, labels=("价格",), product_id="q", labelled=False)) == key_of(sample)


def test_another_picture_of_the_same_name_has_another_key(sample: Sample) -> None:
    before, file = key_of(sample), sample.image.stat()
    os.utime(sample.image, ns=(file.st_atime_ns, file.st_mtime_ns + 1))
    touched = key_of(sample)
    Image.new("RGB", (90, 90)).save(sample.image)
    os.utime(sample.image, ns=(file.st_atime_ns, file.st_mtime_ns))
    assert len({before, touched, key_of(sample)}) == 3


def test_encoders_see_picture_and_all_texts(sample: Sample) -> None:
    told = item_of(replace(sample, texts={"description": "新品"}))
    assert (told.title, told.industry, told.texts) == ("title", ("家电", "水壶"), {"description": "新品"})
    assert told.image is not None
    assert item_of(replace(sample, picture=None)).image is None


@pytest.mark.parametrize(("levels", "told"), [(("家电", ""), ("家电",)), (("", "水壶"), ("水壶",)), (("", ""), ())])
def test_an_empty_level_of_the_industry_is_none(sample: Sample, levels: tuple[str, str], told: tuple[str, ...]) -> None:
    changed = replace(sample, level1=levels[0], level2=levels[1])
    assert item_of(changed).industry == told

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.features.cache import FeatureCache, taken_apart
from model.features.folder import TensorFolder, to_bytes
from model.features.item import ItemFeatures
from testing.features import block, features

KEY = "ab12" * 16


def _features() -> ItemFeatures:
    """Features in which no field is empty."""
    return features(
        block("送“礼”"),
        block("¥99", top=0.5),
        texts={"subtitle": "包邮"},
        grid_RC=torch.randn(4, 3),
        size=(640, 480),
        thumbnail_HW3=torch.randint(0, 256, (96, 128, 3), dtype=torch.uint8),
        knows_industry=True,
    )


def _file(folder: Path) -> Path:
    (file,) = folder.rglob("*.safetensors")
    return file


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    put = _features()
    cache = FeatureCache(tmp_path, "space")
    assert KEY not in cache
    cache.put(KEY, put)
    found = FeatureCache(tmp_path, "space").get(KEY)
    assert found is not None
    assert KEY in cache
    assert to_bytes(*taken_apart(found)) == to_bytes(*taken_apart(put))
    assert (found.blocks, found.industry, found.texts) == (put.blocks, put.industry, put.texts)
    assert torch.equal(found.texts_E["subtitle"], put.texts_E["subtitle"])


def test_an_item_without_anything_comes_back(tmp_path: Path) -> None:
    empty = features(title="", industry=(), widths=(3, 3))
    cache = FeatureCache(tmp_path, "space")
    cache.put(KEY, empty)
    found = cache.get(KEY)
    assert found is not None
    assert found.grid_RC.shape == (0, 3)
    assert found.thumbnail_HW3.shape == (0, 0, 3)


def test_spaces_are_apart(tmp_path: Path) -> None:
    FeatureCache(tmp_path, "one").put(KEY, _features())
    assert FeatureCache(tmp_path, "other").get(KEY) is None


@pytest.mark.parametrize("damage", [b"", b"\x08\x00", b"not a safetensors file at all" * 9])
def test_a_damaged_file_is_a_miss_and_goes(tmp_path: Path, damage: bytes) -> None:
    cache = FeatureCache(tmp_path, "space")
    cache.put(KEY, _features())
    _file(tmp_path).write_bytes(damage)
    assert cache.get(KEY) is None
    assert KEY not in cache


def test_a_half_written_file_is_a_miss(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "space")
    cache.put(KEY, _features())
    whole = _file(tmp_path).read_bytes()
    _file(tmp_path).write_bytes(whole[: len(whole) // 2])
    assert cache.get(KEY) is None


def test_features_of_another_format_are_a_miss(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    cache = FeatureCache(tmp_path, "space")
    cache.put(KEY, _features())
    save_file({"foreign": torch.zeros(1)}, _file(tmp_path))
    assert cache.get(KEY) is None


def test_notes_on_a_picture_come_back(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "space")
    cache.put(KEY, replace(_features(), notes=("upside down",)))
    found = cache.get(KEY)
    assert found is not None
    assert found.notes == ("upside down",)


def test_an_ordinary_picture_is_kept_as_before() -> None:
    _, strings = taken_apart(_features())
    assert list(json.loads(strings["facts"])) == ["size", "grid_shape", "blocks", "title", "industry", "texts"]


@pytest.mark.parametrize(("size", "kept"), [((400, 4000), False), ((4000, 400), False), ((400, 900), True)])
def test_a_long_picture_that_was_read_as_a_whole_is_read_again(
    tmp_path: Path, size: tuple[int, int], kept: bool
) -> None:
    page = replace(_features(), size=size)
    tensors, strings = taken_apart(page)
    facts = {key: value for key, value in json.loads(strings["facts"]).items() if key != "long"}
    TensorFolder(tmp_path / "space", "features").put(KEY, tensors, {"facts": json.dumps(facts)})
    cache = FeatureCache(tmp_path, "space")
    assert (cache.get(KEY) is not None) is kept
    assert (KEY in cache) is kept
    cache.put(KEY, page)
    assert cache.get(KEY) is not None


def test_a_failed_write_leaves_nothing_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache = FeatureCache(tmp_path, "space")
    assert [cache.put(KEY, _features()) for _ in range(3)] == [False] * 3
    assert caplog.text.count("No space left") == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="item key"):
        FeatureCache(tmp_path, "space").put("../../outside", _features())

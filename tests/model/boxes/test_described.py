"""Descriptions are made once an item, are the item's own, and do not pile up."""

import ast
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.boxes import described
from model.boxes.candidates import Candidates, candidates
from model.boxes.describe import describe
from model.boxes.described import Described, Descriptions, content
from model.boxes.model import BoxModel
from model.boxes.nms import ious, to_tensor
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.items import Box, Gold, TextBlock
from model.lexicon.lexicon import Lexicon
from tests.model.boxes.pictures import LABELS, PRODUCT, long_page, moved, shop_picture, stacked

READER = RoleReader(Lexicon.load())
EMPTY = replace(shop_picture(1), blocks=(), thumbnail_HW3=torch.zeros(0, 0, 3, dtype=torch.uint8))


def test_what_is_kept_is_what_would_be_computed() -> None:
    kept = Descriptions()
    for item in (shop_picture(1), shop_picture(2), shop_picture(1)):
        found = candidates(Scene.of(item, READER))
        known = kept.of(item, READER)
        assert torch.equal(known.boxes_N4, found.boxes_N4)
        assert np.array_equal(known.inputs_ND, describe(found))


def test_the_same_item_read_again_is_not_described_again(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "space")
    item = shop_picture(3)
    cache.put("a1", replace(item, reading_E=item.reading_E.clone()))
    first, second = cache.get("a1"), cache.get("a1")
    assert first is not None
    assert second is not None
    kept = Descriptions()
    assert kept.of(first, READER) is kept.of(second, READER)
    assert kept.of(first, RoleReader(Lexicon())) is not kept.of(first, READER)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "another"},
        {"blocks": (TextBlock(Box(0.1, 0.1, 0.2, 0.2), "¥9", 0.9),)},
        {"thumbnail_HW3": torch.zeros(128, 128, 3, dtype=torch.uint8)},
        {"grid_RC": torch.ones(49, 16).half()},
        {"size": (640, 320)},
    ],
)
def test_another_item_has_another_content(change: dict[str, object]) -> None:
    item = shop_picture()
    assert content(item) != content(replace(item, **change))  # type: ignore[arg-type]
    assert content(item) == content(replace(item, industry=("家电",)))


def test_the_oldest_leaves_first() -> None:
    kept = Descriptions(most=2)
    first = kept.of(shop_picture(0), READER)
    kept.of(shop_picture(1), READER)
    assert kept.of(shop_picture(0), READER) is first
    kept.of(shop_picture(2), READER)
    assert kept.of(shop_picture(0), READER) is first
    assert len(kept._kept) == 2


def test_a_second_version_answers_at_once() -> None:
    """Ten milliseconds an item are the aim; candidates made anew take longer on a busy core."""
    items: list[ItemFeatures] = [shop_picture(seed) for seed in range(32)]
    gold = [Gold(frozenset(), ()) for _ in items]
    BoxModel.cold_start(LABELS, Lexicon.load()).predict(items)
    learned = BoxModel.cold_start(LABELS, Lexicon.load()).fit(items[:4], gold[:4], seed=1)[0]
    learned.predict(items)
    started = time.process_time()
    learned.predict(items)
    assert (time.process_time() - started) / len(items) < 0.01


def same(one: Described, other: Described) -> bool:
    return (
        torch.equal(one.boxes_N4, other.boxes_N4)
        and one.inputs_ND.dtype == other.inputs_ND.dtype == np.float32
        and np.array_equal(one.inputs_ND, other.inputs_ND)
    )


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each description that is computed."""
    computed: list[int] = []

    def counted(scene: Scene) -> Candidates:
        computed.append(1)
        return candidates(scene)

    monkeypatch.setattr(described, "candidates", counted)
    return computed


def test_another_process_finds_what_one_has_described(tmp_path: Path, asked: list[int]) -> None:
    one, other = Descriptions(), Descriptions()
    for item in (shop_picture(1), EMPTY):
        with one.kept_in(tmp_path):
            first = one.of(item, READER)
        asked.clear()
        with other.kept_in(tmp_path):
            assert same(other.of(item, READER), first)
        assert not asked
    assert len(first.boxes_N4) == 0  # the last one shows nothing


def test_it_finds_nothing_that_was_described_otherwise(
    tmp_path: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe_anew(reader: RoleReader = READER) -> None:
        kept = Descriptions()
        with kept.kept_in(tmp_path):
            kept.of(shop_picture(1), reader)

    describe_anew()
    describe_anew(RoleReader(Lexicon()))
    monkeypatch.setattr(described, "_code", lambda: "0123456789abcdef")
    describe_anew()
    assert len(asked) == len(files(tmp_path)) == 3


def test_code_of_the_cues_is_a_part_of_the_code_that_describes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "BUILT_IN", tmp_path / "lexicon.toml")
    code = described._code.__wrapped__  # without its memory
    before = code()
    (tmp_path / "money.py").write_text("NAMES = 1")
    assert code() != before


def test_the_code_that_describes_is_all_that_a_description_depends_on() -> None:
    """A module that is missing would leave old descriptions in place when it changes; a further one costs them."""
    found: set[str] = set()
    ahead = ["described"]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            tree = ast.parse((Path(described.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
            parts = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            ahead += [part.removeprefix("model.boxes.") for part in parts if part.startswith("model.boxes.")]
    assert found - {"forest", "masks"} == set(described.CODE)


def test_other_trees_describe_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = described._code.__wrapped__  # without its memory
    before = code()
    other = tmp_path / "prior.safetensors"
    other.write_bytes(b"other trees")
    monkeypatch.setattr(described, "FILE", other)
    assert code() != before


def test_nothing_is_kept_on_disk_unless_asked_for(tmp_path: Path) -> None:
    kept = Descriptions()
    with kept.kept_in(tmp_path / "one"), kept.kept_in(tmp_path / "other"):
        kept.of(shop_picture(1), READER)
    kept.of(shop_picture(2), READER)
    assert len(files(tmp_path / "other")) == 1
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("damage", [b"", b"not a safetensors file at all" * 9, None])
def test_a_spoilt_file_is_written_anew(
    tmp_path: Path, damage: bytes | None, asked: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    kept, item = Descriptions(most=0), shop_picture(1)
    with kept.kept_in(tmp_path):
        first = kept.of(item, READER)
        (file,) = files(tmp_path)
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
        assert same(kept.of(item, READER), first)
        assert "computed again" in caplog.text
        assert file.read_bytes() == whole
        asked.clear()
        assert same(kept.of(item, READER), first)
        assert not asked


def test_many_may_describe_the_same(tmp_path: Path) -> None:
    def describe_it(_: int) -> Described:
        kept = Descriptions()
        with kept.kept_in(tmp_path):
            return kept.of(shop_picture(1), READER)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(describe_it, range(8)))
    assert all(same(one, found[0]) for one in found)
    assert len(files(tmp_path)) == 1


def test_a_full_disk_is_told_once_and_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    kept = Descriptions()
    with kept.kept_in(tmp_path):
        for seed in (1, 2):
            assert len(kept.of(shop_picture(seed), READER).boxes_N4)
    assert caplog.text.count("No space left") == 1
    assert not files(tmp_path)


def test_a_folder_that_cannot_be_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Descriptions()
    with kept.kept_in(tmp_path / "file"):
        assert len(kept.of(shop_picture(1), READER).boxes_N4)


def test_a_long_page_has_the_candidates_of_its_screens_where_they_stand() -> None:
    page = long_page(4)
    assert len(page.screens) > 2
    found = described.described_with(page, READER, ())
    parts = [described.described_with(part, READER, ()) for part in page.on_screens()]
    assert np.array_equal(found.inputs_ND, np.concatenate([part.inputs_ND for part in parts]))
    assert len(found.boxes_N4) == len(found.inputs_ND) == len(found.cold_NL)
    for number in range(4):
        product = stacked(moved(PRODUCT, 0.02 * number), number, 4)
        edges = torch.tensor([[product.left, product.top, product.right, product.bottom]])
        assert float(ious(edges, found.boxes_N4).max()) > 0.8


def test_drawn_boxes_are_the_last_rows_in_their_order() -> None:
    page = long_page(4)
    drawn = [stacked(Box(0.1, 0.1, 0.5, 0.5), number, 4) for number in (2, 0, 2, 3)]
    found, without = described.described_with(page, READER, drawn), described.described_with(page, READER, ())
    assert torch.equal(found.boxes_N4[-4:], to_tensor(drawn))
    assert np.array_equal(found.inputs_ND[:-4], without.inputs_ND)
    # The same place on the same kind of screen is described alike; first and third are the same box.
    assert np.array_equal(found.inputs_ND[-4], found.inputs_ND[-2])
    ordinary = described.described_with(shop_picture(1), READER, drawn[:1])
    assert torch.equal(ordinary.boxes_N4[-1:], to_tensor(drawn[:1]))

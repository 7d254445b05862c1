"""Boxes, effort and sources of an evaluation, from gold boxes to the tables that tell them."""

from pathlib import Path

import pytest

from model.boxes.metrics import GoldPicture
from model.evaluation.boxes import BLOCKS
from model.evaluation.corpus import LabelledCorpus
from model.evaluation.run import Result, read, run
from model.evaluation.tables import box_table, class_table, effort_table, source_table
from model.items import Box, LabelledBox
from tests.model.boxes.pictures import LABELS, PRODUCT, moved, price_plate, shop_picture

COPY = Box(0.5, 0.84, 0.9, 0.95)


def said(seed: int) -> GoldPicture:
    shift = 0.02 * (seed % 5)
    return GoldPicture(
        (
            LabelledBox("主体", moved(PRODUCT, shift)), LabelledBox("价格", price_plate(shift)),
            LabelledBox("文案", COPY), LabelledBox("LOGO", Box(0.03, 0.03, 0.25, 0.09)),
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    gold = tuple(frozenset({"主体", "价格", "文案", "LOGO"}) for _ in range(8))
    boxes = (None, *(said(seed) for seed in range(1, 8)))
    corpus = LabelledCorpus(LABELS, tuple(map(shop_picture, range(8))), gold, tuple("aabbccdd"), boxes)
    kept = tmp_path_factory.mktemp("kept") / "results.jsonl"
    found = run(corpus, gold_families=[0, 2], seeds=[0, 1], names=["cold start"], results=kept)
    assert read(kept) == found
    return found


def test_boxes_are_told_by_way_gold_and_label(results: list[Result]) -> None:
    table = box_table(results)
    assert table.headings == ("way", "gold", "mAP@0.5", *LABELS)
    assert [row[:2] for row in table.rows[:2]] == [("cold start", "0 gold products"), (BLOCKS, "0 gold products")]
    cold, blocks = table.rows[:2]
    assert float(cold[2].split()[0]) > float(blocks[2].split()[0])
    assert cold[table.headings.index("赠品")] == ""
    assert table.markdown().splitlines()[1].startswith("| --- | ---")


def test_effort_is_told_with_its_prices(results: list[Result]) -> None:
    table = effort_table(results)
    assert "draw 25.5" in table.note
    cold = table.rows[0]
    assert cold[table.headings.index("from nothing")] == "102 s"
    assert float(cold[table.headings.index("saved")].rstrip("%")) > 50


def test_classes_and_sources_are_told(results: list[Result]) -> None:
    assert [row[0] for row in class_table(results, "cold start").rows] == [*LABELS, "mAP of the tags"]
    sources = source_table(results, "cold start")
    assert "2 gold products" in sources.note
    assert any(row[1] == "价格" and row[3].endswith("%") for row in sources.rows)


def test_without_results_tables_are_empty(tmp_path: Path) -> None:
    for make in (box_table, effort_table, class_table, source_table):
        assert [row for row in make([]).rows if any(row[1:])] == []

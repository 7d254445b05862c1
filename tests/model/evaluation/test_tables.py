"""Boxes, effort and sources of an evaluation, from gold boxes to the tables that tell them."""

from pathlib import Path

import pytest

from model.boxes.metrics import GoldPicture
from model.evaluation.boxes import BLOCKS
from model.evaluation.corpus import LabelledCorpus
from model.evaluation.run import Result, RunPlan, read, run
from model.evaluation.tables import box_table, class_table, effort_table, leading, measure_table, source_table
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
    found = run(corpus, RunPlan(gold_families=[0, 2], seeds=[0, 1], names=["cold start"], results=kept))
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


def scored(method: str, seed: int, price: tuple[float, float], *, size: int = 5, macro_f1: float = 0.5) -> Result:
    """A result whose 价格 has this precision and recall, and whose 主体 was never wrong."""
    precision, recall = price
    f1 = 2 * precision * recall / (precision + recall)
    return Result(
        method, size, seed, 9, macro_f1, 0.6, precision * recall, {"价格": f1, "主体": 1.0},
        {"价格": precision, "主体": 1.0}, {"价格": recall, "主体": 1.0}, 0.1, 1.0,
    )  # fmt: skip


def test_precision_recall_and_map_are_told_of_every_method_with_differences() -> None:
    found = [
        scored("Tagloom", 0, (0.8, 0.5)), scored("Tagloom", 1, (0.6, 0.5)), scored("no gate", 0, (0.6, 0.7)),
        scored("no gate", 1, (0.4, 0.7)), scored("cold start", 0, (0.5, 0.5), size=0),
    ]  # fmt: skip
    table = measure_table(found)
    assert table.headings[2:] == ("macro precision", "macro recall", "macro-F1", "weighted-F1", "mAP", "log loss")
    cold, ours, less = table.rows
    assert cold[:3] == ("cold start", "0 gold products", "0.750 ± 0.000")
    assert ours == ("Tagloom", "5 gold products", "0.850 ± 0.050", "0.750 ± 0.000", "0.500 ± 0.000", "0.600 ± 0.000",
                    "0.350 ± 0.050", "0.100 ± 0.000")  # fmt: skip
    assert less[2:4] == ("0.750 ± 0.050 (-0.100)", "0.850 ± 0.000 (+0.100)")
    assert less[4] == "0.500 ± 0.000"


def test_labels_are_told_with_their_spread_of_the_methods_asked_for() -> None:
    found = [scored("Tagloom", 0, (0.8, 0.5)), scored("Tagloom", 1, (0.6, 0.5)), scored("no gate", 0, (0.6, 0.7))]
    table = class_table(found, ["Tagloom"])
    assert table.headings == ("method", "gold", "价格", "主体")
    (row,) = table.rows
    assert row[2] == "0.70 ± 0.10 / 0.50 ± 0.00 / 0.58 ± 0.03"
    assert row[3] == "1.00 ± 0.00 / 1.00 ± 0.00 / 1.00 ± 0.00"
    assert len(class_table(found, ["Tagloom", "no gate"]).rows) == 2


def test_the_best_plain_method_leads_with_tagloom_and_the_cold_start() -> None:
    measured = [("no gate", 0.9), ("late fusion", 0.6), ("label spreading", 0.7), ("Tagloom", 0.8), ("cold start", 0.5)]
    found = [scored(method, 0, (0.5, 0.5), macro_f1=score) for method, score in measured]
    assert leading(found) == ["Tagloom", "cold start", "label spreading"]
    assert leading(found[:1]) == []


def test_sources_are_told(results: list[Result]) -> None:
    sources = source_table(results, "cold start")
    assert "2 gold products" in sources.note
    assert any(row[1] == "价格" and row[3].endswith("%") for row in sources.rows)


def test_without_results_tables_are_empty(tmp_path: Path) -> None:
    for make in (box_table, effort_table, measure_table, source_table):
        assert make([]).rows == ()
    assert class_table([], []).rows == ()

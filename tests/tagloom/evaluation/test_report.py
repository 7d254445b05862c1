"""The evaluation's report: one file, nothing fetched, a curve for everything that was measured."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from model.boxes.effort import Effort, Seconds
from model.evaluation.boxes import BoxResult
from model.evaluation.run import Result
from tagloom.evaluation.report import plots, write_report

LABELS = ("主体", "<LOGO>")


def result(method: str, size: int, seed: int, score: float, *, boxes: bool = True) -> Result:
    by_label = dict.fromkeys(LABELS, score)
    spent = Effort(10, 400.0, 1000.0, 5, 1, 20, 3, 4)
    found = {method: BoxResult(by_label, score, score - 0.1, score + 0.1, spent)} if boxes else {}
    return Result(
        method, size, seed, 4 * size, score, score, score, by_label, by_label, by_label, 0.1, 1.0, "data",
        vars(Seconds()), found, [[0.1, 0.2, 30], [0.9, 0.8, 10]], {"a cue": {"主体": [20, 15]}},
    )  # fmt: skip


@pytest.fixture
def results() -> list[Result]:
    methods = ("Tagloom", "cold start", "late fusion")
    return [result(name, size, seed, 0.5 + size / 100) for name in methods for size in (0, 5, 20) for seed in (0, 1)]


def test_it_is_well_formed_fetches_nothing_and_holds_all(results: list[Result], tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", results, {"data": "<some> pictures"})
    html = (tmp_path / "report.html").read_text("utf-8")
    ElementTree.fromstring(re.sub(r"<!doctype html>|<meta[^>]*>", "", html))
    assert not re.search(r"https?://|src=|<script", html)
    told = ("&lt;some&gt; pictures", "a cue", "75%", "60%", "&lt;LOGO&gt;", "draw 25.5", "0.700 ± 0.000")
    for text in (*told, "Precision and recall", "0.70 ± 0.00 / 0.70 ± 0.00 / 0.70 ± 0.00"):
        assert text in html
    assert html.count("<svg") == 5


def test_curves_go_over_gold(results: list[Result]) -> None:
    found = plots(results)
    macro = {line.name: line for line in found["Macro-F1 of the tags, by gold"].lines}
    assert set(macro) == {"Tagloom", "cold start", "late fusion"}
    xs = [x for x, _ in macro["Tagloom"].points]
    assert xs == sorted(xs)
    assert len(xs) == 3
    reliability = {line.name: line.points for line in found["Reliability of probabilities (Tagloom)"].lines}
    assert set(reliability) == {"as promised", "0 gold products", "20 gold products"}
    assert len(reliability["20 gold products"]) == 2


def test_what_was_not_measured_has_no_curve(tmp_path: Path) -> None:
    only = [result("late fusion", 5, 0, 0.5, boxes=False)]
    assert list(plots(only)) == ["Macro-F1 of the tags, by gold"]
    write_report(tmp_path / "report.html", only, {})
    write_report(tmp_path / "empty.html", [], {})

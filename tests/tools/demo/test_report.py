"""The report: one file, nothing fetched, everything in it that was measured."""

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from backend.pages.plot import Plot
from model.boxes.metrics import GoldPicture
from model.items import Box, LabelledBox
from tests.tools.demo.stub import tags
from tools.demo.curve import curve_of
from tools.demo.data import Cast, Subject
from tools.demo.report import gallery, write_report
from tools.demo.scoring import Scores
from tools.demo.story import Outcome
from tools.demo.table import Row
from tools.demo.verdict import Condition, DemoVerdict

LABELS = ("主体", "LOGO")


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    Image.new("RGB", (600, 300), "orange").save(tmp_path / "a.png")
    boxes = GoldPicture((LabelledBox("主体", Box(0.1, 0.2, 0.5, 0.8)),))
    test = [
        Subject(tmp_path / "a.png", (600, 300), f"<b>标题 {i}</b>", ("", ""), frozenset({"主体"}), boxes, str(i))
        for i in range(60)
    ]
    value = {"x": 10, "y": 20, "width": 40, "height": 60, "rotation": 0, "rectanglelabels": ["LOGO"]}
    result = {"result": [*tags("LOGO"), {"type": "rectanglelabels", "score": 0.87, "value": value}]}
    rows = [
        Row(0, "v0.aaaa", Scores(0.5, 0.6, {"主体": 0.5}, None)),
        Row(10, "v2.bbbb", Scores(0.75, 0.8, {"主体": 0.7}, 0.25), 70, 4.2),
        Row(30, "v2.bbbb", Scores(0.75, 0.8, {"主体": 0.7}, 0.25), 90, None, "kept: worse on <held-out> gold"),
    ]
    verdict = DemoVerdict((Condition(True, "it is good"), Condition(False, "it is quick")))
    return Outcome(Cast(LABELS, [], test, []), rows, last_results=[result] * 60, baseline=0.4, verdict=verdict)


def page(outcome: Outcome, folder: Path) -> str:
    write_report(folder / "deep" / "report.html", outcome, {"Encoders": "shipped (drawings only)"})
    return (folder / "deep" / "report.html").read_text("utf-8")


def test_it_is_well_formed_and_fetches_nothing(outcome: Outcome, tmp_path: Path) -> None:
    html = page(outcome, tmp_path)
    ElementTree.fromstring(re.sub(r"<!doctype html>|<meta[^>]*>|<br>", "", html))
    assert not re.search(r"https?://|src=", html)


def test_it_holds_table_verdict_and_facts_escaped(outcome: Outcome, tmp_path: Path) -> None:
    html = page(outcome, tmp_path)
    for text in ("v2.bbbb", "0.750", "0.250", "4.2 s", "it is quick", "1 of 2 conditions", "shipped (drawings only)"):
        assert text in html
    assert "worse on &lt;held-out&gt; gold" in html
    assert "<b>标题" not in html


def test_the_gallery_has_24_pictures_with_solid_and_dashed_boxes(outcome: Outcome, tmp_path: Path) -> None:
    pictures = gallery(outcome)
    assert len(pictures) == 24
    assert (pictures[0].width, pictures[0].height) == (360, 180)
    gold, predicted = pictures[0].shapes
    assert (gold.x, gold.y, gold.width, gold.height, gold.name) == (36.0, 36.0, 144.0, 108.0, "")
    assert predicted.name == "LOGO 0.87"
    assert [(tag.label, tag.kind) for tag in pictures[0].tags] == [("主体", "missed"), ("LOGO", "wrong")]
    html = page(outcome, tmp_path)
    assert html.count('stroke-dasharray="6 4"') == 24


def test_the_curve_leaves_out_rows_without_boxes(outcome: Outcome) -> None:
    curve = curve_of(outcome.rows, 0.4)
    assert curve
    lines = {line.name: line.points for line in curve.lines}
    xs, ys = zip(*lines["macro-F1"], strict=True)
    assert xs[0] == Plot.left
    assert ys[0] == (Plot.bottom + Plot.top) / 2
    assert xs[-1] == Plot.right
    assert len(lines["boxes mAP@0.5"]) == 2


def test_names_of_close_lines_do_not_overlap(outcome: Outcome) -> None:
    curve = curve_of(outcome.rows, 0.75)
    assert curve
    places = [line.name_y for line in curve.lines]
    assert len(places) == 4
    assert all(low - high >= 15 for high, low in itertools.pairwise(places))


def test_a_run_without_rows_has_a_report_too(outcome: Outcome, tmp_path: Path) -> None:
    outcome.rows, outcome.last_results = [], []
    assert "it is quick" in page(outcome, tmp_path)

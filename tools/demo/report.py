"""The demo's report: one HTML file that needs nothing else, with the curve, the table and pictures with their boxes."""

from collections.abc import Mapping
from pathlib import Path

from tagloom.pages.gallery import PICTURES, Picture, colours_of, picture_of
from tagloom.pages.render import rendered
from testing.label_studio.payloads import Json
from tools.demo.curve import curve_of
from tools.demo.data import Subject
from tools.demo.scoring import boxes_of, tags_of
from tools.demo.story import Outcome
from tools.demo.table import HEADINGS, cells


def write_report(path: Path, outcome: Outcome, facts: Mapping[str, str]) -> None:
    """Write the report. ``facts`` (data, encoders, machine) are shown as they are, in their order."""
    page = rendered(
        "tools.demo",
        "report.html.jinja",
        outcome=outcome,
        curve=curve_of(outcome.rows, outcome.baseline),
        facts=facts,
        headings=HEADINGS,
        cells=cells,
        gallery=gallery(outcome),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")


def gallery(outcome: Outcome) -> list[Picture]:
    """Pictures of the test tasks with what was predicted for them last; those that have gold boxes first."""
    pairs = list(zip(outcome.cast.test, outcome.last_results, strict=False))
    boxed = [pair for pair in pairs if pair[0].boxes] or pairs
    step = max(1, len(boxed) // PICTURES)
    colours = colours_of(outcome.cast.labels)
    return [_picture(subject, result, colours) for subject, result in boxed[::step][:PICTURES]]


def _picture(subject: Subject, result: Json, colours: Mapping[str, str]) -> Picture:
    gold = subject.boxes.boxes if subject.boxes else ()
    tags = (subject.labels, tags_of(result))
    return picture_of(subject.picture, subject.title, (gold, boxes_of(result)), tags, colours)

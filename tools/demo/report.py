"""Write the demo's report: one HTML file with a plot, a table, and pictures with their boxes. It loads nothing else."""

from collections.abc import Mapping
from pathlib import Path

from tagloom.pages import rendered
from tagloom.pages.gallery import PICTURES, Picture, colours_of, picture_of
from tools.demo.curve import curve_of
from tools.demo.scoring import boxes_of, tags_of
from tools.demo.story import Outcome
from tools.demo.table import HEADINGS, cells


def write_report(path: Path, outcome: Outcome, facts: Mapping[str, str]) -> None:
    """Write the report. ``facts`` (data, encoders, machine) are shown unchanged and in their order."""
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
    """Return pictures of the test tasks with their last predictions, only those with gold boxes if there are any."""
    pairs = list(zip(outcome.cast.test, outcome.last_results, strict=False))
    boxed = [pair for pair in pairs if pair[0].boxes] or pairs
    step = max(1, len(boxed) // PICTURES)
    colours = colours_of(outcome.cast.labels)
    pictures = []
    for subject, result in boxed[::step][:PICTURES]:
        boxes = (subject.boxes.boxes if subject.boxes else (), boxes_of(result))
        tags = (subject.labels, tags_of(result))
        pictures.append(picture_of(subject.picture, subject.title, boxes, tags, colours))
    return pictures

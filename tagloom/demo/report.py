"""The demo's report: one HTML file that needs nothing else, with the curve, the table and pictures with their boxes."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from model.items import Box
from tagloom.demo.curve import BASELINE, curve_of
from tagloom.demo.data import Subject
from tagloom.demo.payloads import Json
from tagloom.demo.scoring import boxes_of, tags_of
from tagloom.demo.story import Outcome
from tagloom.demo.table import HEADINGS, cells

PICTURES = 24
PICTURE_PX = 360
COLOURS = ("#0b7a75", "#d97706", "#1d4ed8", "#7c3aed", "#4d7c0f", "#db2777", "#0891b2", "#57534e")


@dataclass(frozen=True)
class Shape:
    """A rectangle in pixels; without a name it is gold."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    name: str = ""


@dataclass(frozen=True)
class Tag:
    """A label under a picture; ``kind`` is right, wrong or missed."""

    label: str
    kind: str
    colour: str


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery; ``source`` is a data URI."""

    source: str
    width: int
    height: int
    title: str
    shapes: list[Shape]
    tags: list[Tag]


def write_report(path: Path, outcome: Outcome, facts: Mapping[str, str]) -> None:
    """Write the report. ``facts`` (data, encoders, machine) are shown as they are, in their order."""
    loader = PackageLoader("tagloom.demo", "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.get_template("report.html.jinja").render(
        outcome=outcome,
        curve=curve_of(outcome.rows, outcome.baseline),
        baseline=BASELINE,
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
    colours = {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(outcome.cast.labels)}
    return [_picture(subject, result, colours) for subject, result in boxed[::step][:PICTURES]]


def _picture(subject: Subject, result: Json, colours: Mapping[str, str]) -> Picture:
    small = _thumbnail(subject.picture)
    gold = subject.boxes.boxes if subject.boxes else ()
    shapes = [_shape(one.box, small.size, colours.get(one.label, "#000")) for one in gold]
    shapes += [
        _shape(one.box, small.size, colours.get(one.label, "#000"), f"{one.label} {one.score:.2f}")
        for one in boxes_of(result)
    ]
    tags = _tags(subject.labels, tags_of(result), colours)
    return Picture(_data_uri(small), small.width, small.height, subject.title, shapes, tags)


def _shape(box: Box, size: tuple[int, int], colour: str, name: str = "") -> Shape:
    width, height = size
    return Shape(
        x=round(box.left * width, 1),
        y=round(box.top * height, 1),
        width=round(box.width * width, 1),
        height=round(box.height * height, 1),
        colour=colour,
        name=name,
    )


def _tags(gold: frozenset[str], predicted: frozenset[str], colours: Mapping[str, str]) -> list[Tag]:
    kinds = {(True, True): "right", (False, True): "wrong", (True, False): "missed"}
    found = ((label, kinds.get((label in gold, label in predicted)), colour) for label, colour in colours.items())
    return [Tag(label, kind, colour) for label, kind, colour in found if kind]


def _thumbnail(picture: Path) -> Image.Image:
    with Image.open(picture) as image:
        small = image.convert("RGB")
    small.thumbnail((PICTURE_PX, PICTURE_PX))
    return small


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=72)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()

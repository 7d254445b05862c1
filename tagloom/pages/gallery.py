"""Pictures with their gold and predicted boxes and tags, small enough to be part of a page."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from model.items import Box, LabelledBox, PredictedBox
from tagloom.opening import MAX_PIXELS, opened

PICTURES = 24
PICTURE_PX = 360
COLOURS = ("#0b7a75", "#d97706", "#1d4ed8", "#7c3aed", "#4d7c0f", "#db2777", "#0891b2", "#57534e")


@dataclass(frozen=True)
class Shape:
    """A rectangle in pixels. A gold box has no name."""

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


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each label."""
    return {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}


def picture_of(
    path: Path,
    title: str,
    boxes: tuple[Sequence[LabelledBox], Sequence[PredictedBox]],
    tags: tuple[Collection[str], Collection[str]],
    colours: Mapping[str, str],
) -> Picture:
    """Return one picture of the gallery. ``boxes`` and ``tags`` are pairs of gold and predicted ones."""
    # The evaluation has read the picture before, so Pillow's limit is at least the evaluation's own by now.
    small = opened(path, max(Image.MAX_IMAGE_PIXELS or 0, MAX_PIXELS)).image
    small.thumbnail((PICTURE_PX, PICTURE_PX))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=72)
    source = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    gold, predicted = boxes
    shapes = [_shape(one.box, small.size, colours.get(one.label, "#000")) for one in gold]
    shapes += [
        _shape(one.box, small.size, colours.get(one.label, "#000"), f"{one.label} {one.score:.2f}") for one in predicted
    ]
    # (is gold, is predicted) → the tag's kind. Labels that are neither get no tag.
    kinds = {(True, True): "right", (False, True): "wrong", (True, False): "missed"}
    found = ((label, kinds.get((label in tags[0], label in tags[1])), colour) for label, colour in colours.items())
    shown = [Tag(label, kind, colour) for label, kind, colour in found if kind]
    return Picture(source, small.width, small.height, title, shapes, shown)


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

"""Pictures with their gold and predicted boxes and tags, small enough to stand in a page."""

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


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """One colour a label."""
    return {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}


def picture_of(
    path: Path,
    title: str,
    boxes: tuple[Sequence[LabelledBox], Sequence[PredictedBox]],
    tags: tuple[Collection[str], Collection[str]],
    colours: Mapping[str, str],
) -> Picture:
    """One picture of the gallery; boxes and tags as pairs of gold and predicted ones."""
    small = _thumbnail(path)
    gold, predicted = boxes
    shapes = [_shape(one.box, small.size, colours.get(one.label, "#000")) for one in gold]
    shapes += [
        _shape(one.box, small.size, colours.get(one.label, "#000"), f"{one.label} {one.score:.2f}") for one in predicted
    ]
    return Picture(_data_uri(small), small.width, small.height, title, shapes, _tags(*tags, colours))


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


def _tags(gold: Collection[str], predicted: Collection[str], colours: Mapping[str, str]) -> list[Tag]:
    kinds = {(True, True): "right", (False, True): "wrong", (True, False): "missed"}
    found = ((label, kinds.get((label in gold, label in predicted)), colour) for label, colour in colours.items())
    return [Tag(label, kind, colour) for label, kind, colour in found if kind]


def _thumbnail(picture: Path) -> Image.Image:
    # It was read before, within the setting. Pillow's limit is then at least the setting.
    small = opened(picture, max(Image.MAX_IMAGE_PIXELS or 0, MAX_PIXELS)).image
    small.thumbnail((PICTURE_PX, PICTURE_PX))
    return small


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=72)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()

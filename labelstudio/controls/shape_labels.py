"""Other shapes that people draw beside rectangles: read as gold by the box around them, never written."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from labelstudio.controls.rectangle_labels import frame, is_number, read_shape, turned
from labelstudio.regions import NO_LABEL, Reading, labels_in
from model.items import Box

KINDS = frozenset({"polygonlabels", "ellipselabels", "brushlabels", "keypointlabels", "vectorlabels", "bitmasklabels"})
"""The tags' names in small letters, which are the types of their regions and the keys of their labels too."""
CORNERS = 24  # points on an ellipse's outline that its frame is taken of
LARGEST_MASK = 16_000_000  # pixels; a larger mask is not unpacked


@dataclass(frozen=True)
class ShapeLabels:
    """One control of another shape. ``labels`` maps the name in results to the model's label.

    A key point says that its label is there, but not what belongs to it: it has no box. Vectors and bit masks are not
    unpacked: they have none either.
    """

    name: str
    to_name: str
    kind: str
    labels: Mapping[str, str]

    def read(self, region: Mapping[str, Any]) -> Reading:
        """What one region of this control marks."""
        frame_of = _FRAMES.get(self.kind)
        if frame_of is not None:
            return read_shape(region, self.kind, self.labels, frame_of)
        value = region.get("value")
        if not isinstance(value, dict) or not value.get(self.kind):
            return Reading(frozenset(), problem=NO_LABEL)
        named, problem = labels_in(value, self.kind, self.labels)
        return Reading(named, problem=problem)


def _polygon(region: Mapping[str, Any]) -> Box | None:
    points = region["value"].get("points")
    if not isinstance(points, list) or len(points) < 3:
        return None
    if not all(isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in points):
        return None
    return frame([(float(x), float(y)) for x, y in points])


def _ellipse(region: Mapping[str, Any]) -> Box | None:
    """Label Studio gives an ellipse by its centre and two radii, in percent of the picture's width and height."""
    value = region["value"]
    numbers = [value.get(key, 0) for key in ("x", "y", "radiusX", "radiusY", "rotation")]
    if not all(is_number(n) for n in numbers):
        return None
    x, y, across, down, rotation = (float(n) for n in numbers)
    angles = [2 * math.pi * step / CORNERS for step in range(CORNERS)]
    outline = [(across * math.cos(angle), down * math.sin(angle)) for angle in angles]
    return frame(turned(region, x, y, outline, rotation))


def _brush(region: Mapping[str, Any]) -> Box | None:
    rle, width, height = region["value"].get("rle"), region.get("original_width"), region.get("original_height")
    if not isinstance(rle, list) or not all(isinstance(byte, int) and 0 <= byte <= 255 for byte in rle):
        return None
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        return None
    # The first four bytes say how long the unpacked mask is: four channels a pixel. A stranger's number is not obeyed.
    if width * height > LARGEST_MASK or int.from_bytes(bytes(rle[:4])) != 4 * width * height:
        return None
    return _mask_frame(bytes(rle), width, height)


@lru_cache(maxsize=1024)
def _mask_frame(rle: bytes, width: int, height: int) -> Box | None:
    # Imported here: the SDK brings pandas and nltk, two seconds that only who reads brushes shall pay.
    from label_studio_sdk.converter.brush import decode_rle

    try:
        mask = decode_rle(list(rle)).reshape(height, width, 4)[:, :, 3] > 0
    except (ValueError, IndexError):  # cut short
        return None
    ys, xs = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
    if not len(xs):
        return None
    return Box(float(xs[0]) / width, float(ys[0]) / height, float(xs[-1] + 1) / width, float(ys[-1] + 1) / height)


_FRAMES = {"polygonlabels": _polygon, "ellipselabels": _ellipse, "brushlabels": _brush}

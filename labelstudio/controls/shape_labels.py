"""Controls for shapes other than rectangles: Tagloom reads them as gold and never predicts them.

The gold of a shape is the upright box around it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from labelstudio.controls.rectangle_labels import frame, is_number, read_shape, turned
from labelstudio.regions import NO_LABEL, Reading, labels_in
from model.items import Box

KINDS = frozenset({"polygonlabels", "ellipselabels", "brushlabels", "keypointlabels", "vectorlabels", "bitmasklabels"})
"""The tags' names in lower case; they are also the types of the regions and the keys of the labels."""
CORNERS = 24  # points on an ellipse's outline from which its box is computed
LARGEST_MASK = 16_000_000  # pixels; larger masks are not decoded


@dataclass(frozen=True)
class ShapeLabels:
    """One control for another shape. ``labels`` maps the name in results to the model's label.

    Key points have no box, because a point does not show how far its element extends. Vectors and bit masks are not
    decoded and have no box either. Their labels count as present nevertheless.
    """

    name: str
    to_name: str
    kind: str
    labels: Mapping[str, str]

    def read(self, region: Mapping[str, Any]) -> Reading:
        """Read one region of this control."""
        frame_of = _FRAMES.get(self.kind)
        if frame_of is not None:
            return read_shape(region, self.kind, self.labels, frame_of)
        value = region.get("value")
        if not isinstance(value, dict) or not value.get(self.kind):
            return Reading(frozenset(), problem=NO_LABEL)
        named, problem = labels_in(value, self.kind, self.labels)
        return Reading(named, problem=problem)


def _polygon(region: Mapping[str, Any]) -> Box | None:
    """Return the box around a polygon; None without at least three usable points."""
    points = region["value"].get("points")
    if not isinstance(points, list) or len(points) < 3:
        return None
    if not all(isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in points):
        return None
    return frame([(float(x), float(y)) for x, y in points])


def _ellipse(region: Mapping[str, Any]) -> Box | None:
    """Return the box around an ellipse; None without usable numbers.

    Label Studio describes an ellipse by its centre and two radii, in percent of the picture's width and height.
    """
    value = region["value"]
    numbers = [value.get(key, 0) for key in ("x", "y", "radiusX", "radiusY", "rotation")]
    if not all(is_number(n) for n in numbers):
        return None
    x, y, across, down, rotation = (float(n) for n in numbers)
    angles = [2 * math.pi * step / CORNERS for step in range(CORNERS)]
    outline = [(across * math.cos(angle), down * math.sin(angle)) for angle in angles]
    return frame(turned(region, x, y, outline, rotation))


def _brush(region: Mapping[str, Any]) -> Box | None:
    """Return the box around the painted pixels of a brush mask; None when the mask cannot be decoded."""
    rle, width, height = region["value"].get("rle"), region.get("original_width"), region.get("original_height")
    if not isinstance(rle, list) or not all(isinstance(byte, int) and 0 <= byte <= 255 for byte in rle):
        return None
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        return None
    # The first four bytes hold the length of the decoded mask, which has four channels per pixel. The decoder allocates
    # that much memory, so the length is checked first.
    if width * height > LARGEST_MASK or int.from_bytes(bytes(rle[:4])) != 4 * width * height:
        return None
    return _mask_frame(bytes(rle), width, height)


@lru_cache(maxsize=1024)
def _mask_frame(rle: bytes, width: int, height: int) -> Box | None:
    """Return the box around a mask's pixels. Cached, because the same gold is read many times."""
    # Imported here, because the SDK imports pandas and nltk, which takes two seconds.
    from label_studio_sdk.converter.brush import decode_rle

    try:
        mask = decode_rle(list(rle)).reshape(height, width, 4)[:, :, 3] > 0
    except (ValueError, IndexError):  # a truncated mask
        return None
    ys, xs = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
    if not len(xs):
        return None
    return Box(float(xs[0]) / width, float(ys[0]) / height, float(xs[-1] + 1) / width, float(ys[-1] + 1) / height)


_FRAMES = {"polygonlabels": _polygon, "ellipselabels": _ellipse, "brushlabels": _brush}

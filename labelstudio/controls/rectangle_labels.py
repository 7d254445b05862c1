"""The ``<RectangleLabels>`` control: labelled rectangles, in percent of the upright picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeGuard

from labelstudio.regions import NO_LABEL, NO_PLACE, NO_VALUE, Reading, Region, labels_in
from model.items import Box, Prediction

_DECIMALS = 4
_LARGEST = 1e6  # percent or pixels; JSON can hold 1e308 and integers of any length


@dataclass(frozen=True)
class RectangleLabels:
    """One RectangleLabels control. ``labels`` maps the name in results to the model's label."""

    KIND: ClassVar[str] = "rectanglelabels"
    ITEM: ClassVar[str] = "label"

    name: str
    to_name: str
    labels: Mapping[str, str]
    item_index: int | None = None  # 0 if the Image tag shows a list of pictures, of which Tagloom reads the first

    def read(self, region: Mapping[str, Any]) -> Reading:
        """Read one region of this control; the box of a rotated rectangle is the upright box around it."""
        return read_shape(region, "rectanglelabels", self.labels, box_of)

    def write(self, prediction: Prediction, size: tuple[int, int]) -> list[Region]:
        """Return one region per predicted box of this control's labels.

        ``size`` is the picture's width and height in pixels; without a picture (0 × 0) the list is empty.
        """
        if not all(size):
            return []
        # Reversed, so that of two names for one label the first in the config is written.
        names = {label: name for name, label in reversed(list(self.labels.items()))}
        regions: list[Region] = []
        for box in prediction.boxes:
            if box.label not in names or not (box.box.width > 0 and box.box.height > 0):
                continue
            region: Region = {
                "from_name": self.name,
                "to_name": self.to_name,
                "type": self.KIND,
                "original_width": size[0],
                "original_height": size[1],
                "image_rotation": 0,
                "score": min(max(box.score, 0.0), 1.0),
                "value": {**percent(box.box), "rotation": 0, "rectanglelabels": [names[box.label]]},
            }
            regions.append(region if self.item_index is None else {**region, "item_index": self.item_index})
        return regions


def percent(box: Box) -> dict[str, float]:
    """Return a box as x, y, width and height in percent.

    x + width and y + height are at most 100 even after rounding, which the SDK's validator does not check.
    """
    x, width = _span(box.left, box.right)
    y, height = _span(box.top, box.bottom)
    return {"x": x, "y": y, "width": width, "height": height}


def _span(start: float, end: float) -> tuple[float, float]:
    """Return start and length in percent of a span in [0, 1], rounded outwards and at least one step long."""
    # The sum of start and length is computed in whole steps, because rounded floats could add up to more than 100.
    step = 10**_DECIMALS
    low = math.floor(min(max(start, 0.0), 1.0) * 100 * step)
    high = math.ceil(min(max(end, 0.0), 1.0) * 100 * step)
    low = min(low, 100 * step - 1)
    return low / step, max(min(high, 100 * step) - low, 1) / step


def read_shape(
    region: Mapping[str, Any],
    key: str,
    labels: Mapping[str, str],
    frame_of: Callable[[Mapping[str, Any]], Box | None],
) -> Reading:
    """Read a drawn region: the labels under ``value[key]``, and the box that ``frame_of`` returns for the region.

    If the coordinates are not usable, the labels count as present nevertheless, without a box.
    """
    value = region.get("value")
    if not isinstance(value, dict):
        return Reading(frozenset(), problem=NO_VALUE)
    if not value.get(key):
        return Reading(frozenset(), problem=NO_LABEL)
    named, problem = labels_in(value, key, labels)
    box = frame_of(region)
    if box is None:
        return Reading(named, problem=problem or NO_PLACE)
    # A region outside of the picture or without an area is a slip of the hand and marks nothing.
    if box.area == 0:
        return Reading(frozenset(), problem=NO_PLACE)
    return Reading(named, box, problem)


def box_of(region: Mapping[str, Any]) -> Box | None:
    """Return the upright box around a rectangle's region, clipped to the picture; None without usable numbers.

    Label Studio rotates a rectangle clockwise about its top left corner, in pixels, so the picture's aspect ratio
    matters. If the annotator rotated the whole picture (``image_rotation``), the coordinates still refer to the
    unrotated picture.
    """
    value = region["value"]
    numbers = [value.get(key, 0) for key in ("x", "y", "width", "height", "rotation")]
    if not all(is_number(n) for n in numbers):
        return None
    x, y, width, height, rotation = (float(n) for n in numbers)
    corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
    return frame(turned(region, x, y, corners, rotation))


def turned(
    region: Mapping[str, Any], x: float, y: float, offsets: Sequence[tuple[float, float]], degrees: float
) -> list[tuple[float, float]]:
    """Return the points at ``offsets`` from (x, y), rotated clockwise about (x, y); all in percent of the picture."""
    shape, width, height = 1.0, region.get("original_width"), region.get("original_height")
    if degrees % 360 and is_number(width) and is_number(height) and width >= 1 and height >= 1:
        shape = float(width) / float(height)
    turn = math.radians(degrees)
    return [
        (x + a * math.cos(turn) - b / shape * math.sin(turn), y + a * shape * math.sin(turn) + b * math.cos(turn))
        for a, b in offsets
    ]


def frame(points: Sequence[tuple[float, float]]) -> Box:
    """Return the upright box around points in percent, clipped to the picture."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Box(_clip(min(xs)), _clip(min(ys)), _clip(max(xs)), _clip(max(ys)))


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number that is safe in calculations: not NaN, and products of it do not overflow."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _clip(percentage: float) -> float:
    return min(max(percentage / 100, 0.0), 1.0)

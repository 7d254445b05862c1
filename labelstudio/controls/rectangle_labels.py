"""``<RectangleLabels>``: labelled rectangles in percent of the upright picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeGuard

from labelstudio.regions import NO_LABEL, NO_PLACE, NO_VALUE, Reading, Region, labels_in
from model.items import Box, PredictedBox, Prediction

_DECIMALS = 4
_LARGEST = 1e6  # percent or pixels; JSON carries 1e308 and integers of any length too


@dataclass(frozen=True)
class RectangleLabels:
    """One RectangleLabels control. ``labels`` maps the name in results to the model's label."""

    KIND: ClassVar[str] = "rectanglelabels"
    ITEM: ClassVar[str] = "label"

    name: str
    to_name: str
    labels: Mapping[str, str]
    item_index: int | None = None  # 0 where the Image tag shows a list of pictures: we look at its first

    def read(self, region: Mapping[str, Any]) -> Reading:
        """What one region of this control marks; a turned rectangle gives the upright one around it."""
        return read_shape(region, "rectanglelabels", self.labels, box_of)

    def write(self, prediction: Prediction, size: tuple[int, int]) -> list[Region]:
        """One region per predicted box of this control's labels; none when there is no picture (``size`` 0 × 0)."""
        if not all(size):
            return []
        names = {label: name for name, label in reversed(list(self.labels.items()))}
        return [
            self._region(box, names[box.label], size)
            for box in prediction.boxes
            if box.label in names and box.box.width > 0 and box.box.height > 0
        ]

    def _region(self, box: PredictedBox, name: str, size: tuple[int, int]) -> Region:
        region: Region = {
            "from_name": self.name,
            "to_name": self.to_name,
            "type": self.KIND,
            "original_width": size[0],
            "original_height": size[1],
            "image_rotation": 0,
            "score": min(max(box.score, 0.0), 1.0),
            "value": {**percent(box.box), "rotation": 0, "rectanglelabels": [name]},
        }
        return region if self.item_index is None else {**region, "item_index": self.item_index}


def percent(box: Box) -> dict[str, float]:
    """x, y, width, height in percent; x + width ≤ 100 also after rounding, which the SDK does not check."""
    x, width = _span(box.left, box.right)
    y, height = _span(box.top, box.bottom)
    return {"x": x, "y": y, "width": width, "height": height}


def _span(start: float, end: float) -> tuple[float, float]:
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
    """What a drawn region marks: labels under ``value[key]``, and the box that ``frame_of`` finds around it.

    A label that was read is there, also where its place was not.
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
    if box.area == 0:  # drawn beside the picture, or a slip of the hand: it marks nothing
        return Reading(frozenset(), problem=NO_PLACE)
    return Reading(named, box, problem)


def box_of(region: Mapping[str, Any]) -> Box | None:
    """The upright rectangle of a region, clipped to the picture; None without usable numbers.

    Label Studio turns a rectangle about its top left corner, clockwise, in pixels (so the picture's shape matters).
    When the annotator turns the whole picture (``image_rotation``), coordinates stay those of the unturned one.
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
    """Points at ``offsets`` from (x, y), turned about it clockwise; all in percent of the region's picture."""
    shape = _aspect(region) if degrees % 360 else 1.0
    turn = math.radians(degrees)
    return [
        (x + a * math.cos(turn) - b / shape * math.sin(turn), y + a * shape * math.sin(turn) + b * math.cos(turn))
        for a, b in offsets
    ]


def frame(points: Sequence[tuple[float, float]]) -> Box:
    """The upright box around points in percent, clipped to the picture."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Box(_clip(min(xs)), _clip(min(ys)), _clip(max(xs)), _clip(max(ys)))


def _aspect(region: Mapping[str, Any]) -> float:
    width, height = region.get("original_width"), region.get("original_height")
    if is_number(width) and is_number(height) and width >= 1 and height >= 1:
        return float(width) / float(height)
    return 1.0


def is_number(value: object) -> TypeGuard[float]:
    """A number that can be reckoned with: no NaN, nothing so large that a product overflows."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _clip(percentage: float) -> float:
    return min(max(percentage / 100, 0.0), 1.0)

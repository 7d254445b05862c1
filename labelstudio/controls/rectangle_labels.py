"""``<RectangleLabels>``: labelled rectangles in percent of the upright picture."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeGuard

from labelstudio.regions import Region, names_in, of_control
from model.items import Box, LabelledBox, PredictedBox, Prediction

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

    def gold(self, result: object) -> tuple[LabelledBox, ...]:
        """The rectangles that one annotation drew here; a rotated one gives the upright rectangle around it."""
        found = []
        for region in of_control(result, self.name, self.KIND):
            box = box_of(region)
            names = names_in(region["value"], "rectanglelabels")
            if box is not None and box.area > 0:
                found += [LabelledBox(self.labels[name], box) for name in names if name in self.labels]
        return tuple(found)

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


def box_of(region: Mapping[str, Any]) -> Box | None:
    """The upright rectangle of a region, clipped to the picture; None without usable numbers or on a turned picture.

    Label Studio turns a rectangle about its top left corner, clockwise, in pixels (so the picture's shape matters).
    """
    value = region["value"]
    numbers = [value.get(key, 0) for key in ("x", "y", "width", "height", "rotation")]
    if not all(_is_number(n) for n in numbers):
        return None
    if region.get("image_rotation") not in (0, None):
        return None  # its coordinates belong to the turned picture
    x, y, width, height, rotation = (float(n) for n in numbers)
    shape = _aspect(region) if rotation % 360 else 1.0
    turn = math.radians(rotation)
    corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
    xs = [x + a * math.cos(turn) - b / shape * math.sin(turn) for a, b in corners]
    ys = [y + a * shape * math.sin(turn) + b * math.cos(turn) for a, b in corners]
    return Box(_clip(min(xs)), _clip(min(ys)), _clip(max(xs)), _clip(max(ys)))


def _aspect(region: Mapping[str, Any]) -> float:
    width, height = region.get("original_width"), region.get("original_height")
    if _is_number(width) and _is_number(height) and width >= 1 and height >= 1:
        return float(width) / float(height)
    return 1.0


def _is_number(value: object) -> TypeGuard[float]:
    """A number that can be reckoned with: no NaN, nothing so large that a product overflows."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _clip(percentage: float) -> float:
    return min(max(percentage / 100, 0.0), 1.0)

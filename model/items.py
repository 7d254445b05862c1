"""Items, the tasks as the model sees them; their gold; and the model's predictions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Box:
    """An axis-aligned rectangle in fractions of the upright picture: 0 ≤ left ≤ right ≤ 1, 0 ≤ top ≤ bottom ≤ 1.

    Box(0.0, 0.0, 0.5, 1.0).iou(Box(0.0, 0.0, 1.0, 1.0))    # 0.5
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return self.width * self.height

    def iou(self, other: "Box") -> float:
        """Return the intersection over union with another box; 0 if the boxes do not overlap."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def share_inside(self, other: "Box") -> float:
        """Return the share of this box's area that lies in another one; 0 for a box without area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height / self.area if width > 0 and height > 0 and self.area > 0 else 0.0


MOST_SQUARES = 32
"""The most squares of a long picture that are encoded."""
LONG = 2.5
"""Pictures whose longer side exceeds this many shorter sides are long: pages of shops, and banners."""


def is_long(size: tuple[int, int]) -> bool:
    """Return whether a picture of this width and height in pixels is looked at in parts instead of as a whole."""
    return max(size) > LONG * min(size)


def squares_of(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Return the nearly square parts of a long picture, one after another: left, top, right, bottom in pixels."""
    width, height = size
    count = min(MOST_SQUARES, round(max(size) / min(size)))
    edges = [round(max(size) * number / count) for number in range(count + 1)]
    return [
        (0, start, width, end) if height > width else (start, 0, end, height) for start, end in pairwise(edges)
    ]  # fmt: skip


MISREAD = 0.4
"""A character as large as this share of the picture is misread: readers take bars and edges for 一, l and 1, and the
outline of a product for M or 88."""


@dataclass(frozen=True)
class TextBlock:
    """A line of text that the reader found in the picture, with its box and the reader's confidence in [0, 1]."""

    box: Box
    text: str
    score: float

    @property
    def is_text(self) -> bool:
        """Whether the block can be a line of text. A block that is tall and wide, or one tall character, can't be."""
        tall = self.box.height >= MISREAD
        return not tall or (self.box.width < MISREAD and len(self.text.strip()) > 1)


@dataclass(frozen=True)
class Item:
    """One task: an upright RGB picture, its title, its industry path, and further texts by field. All are optional.

    If ``image`` is a reduced copy of the picture, ``whole`` is the width and height of the picture itself. ``notes``
    say what of the picture's file is not shown as usual.

        item = Item(Image.open("shirt.jpg").convert("RGB"), title="T-shirt", industry=("clothing", "tops"))
    """

    image: "Image | None"
    title: str = ""
    industry: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    whole: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the whole upright picture; (0, 0) without one."""
        if self.image is None:
            return 0, 0
        return self.whole or self.image.size


@dataclass(frozen=True)
class LabelledBox:
    """A rectangle that an annotator drew, with its label."""

    label: str
    box: Box


@dataclass(frozen=True)
class Gold:
    """The gold of one item: for each label yes, no or unknown, and the boxes that were drawn.

    Args:
        labels: the labels that the item has, given as tags or as boxes.
        boxes: the gold boxes. None if the project has no boxes or no annotator drew any.
        weight: the share of the annotators who agree with this gold, in (0, 1].
        unknown: labels of which it is unknown whether the item has them. A label that is in neither ``labels`` nor
            ``unknown`` is a no.
        unknown_boxes: labels that may have more boxes than ``boxes`` shows.
        accepted: the version whose prediction the annotators submitted unchanged. None if they changed something or
            saw no prediction.
        notes: reasons, in words, why something is unknown or which annotation overruled another.

        gold = Gold(frozenset({"LOGO"}), unknown=frozenset({"PRICE"}))
        gold.says("LOGO"), gold.says("PRICE"), gold.says("GIFT")    # True, None, False
    """

    labels: frozenset[str]
    boxes: tuple[LabelledBox, ...] | None = None
    weight: float = 1.0
    unknown: frozenset[str] = frozenset()
    unknown_boxes: frozenset[str] = frozenset()
    accepted: str | None = None
    notes: tuple[str, ...] = ()

    def says_something(self, labels: Iterable[str]) -> bool:
        """Return whether the gold says yes or no to any of these labels, or has a box."""
        return bool(self.labels or self.boxes) or not self.unknown.issuperset(labels)

    def says(self, label: str) -> bool | None:
        """Return whether the item has the label; None if that is unknown."""
        return None if label in self.unknown else label in self.labels


@dataclass(frozen=True)
class PredictedBox:
    """A predicted rectangle with its confidence in [0, 1]."""

    label: str
    box: Box
    score: float


@dataclass(frozen=True)
class Prediction:
    """The model's answer to one item.

    ``probabilities`` holds a calibrated probability for each label, and ``labels`` holds the labels that are given.
    ``score`` is the probability that all labels are right, in [0, 1]; tasks with low scores should be labelled first.
    """

    probabilities: dict[str, float]
    labels: tuple[str, ...]
    boxes: tuple[PredictedBox, ...]
    score: float

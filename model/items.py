"""What the model sees of one task, and where things stand in its picture."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Box:
    """An axis-aligned rectangle in fractions of the upright picture: 0 ≤ left ≤ right ≤ 1, 0 ≤ top ≤ bottom ≤ 1."""

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
        """Intersection over union with another box, 0 when either has no area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)


MISREAD = 0.4
"""No character is as large as this share of the picture: readers see bars and edges as 一, l and 1, and the outline of
a product as M or 88."""


@dataclass(frozen=True)
class TextBlock:
    """One line of text read in the picture, with its place and the reader's confidence in [0, 1]."""

    box: Box
    text: str
    score: float

    @property
    def is_text(self) -> bool:
        """Whether it can be a line of text: a block large in both directions, or one tall character, is misread."""
        tall = self.box.height >= MISREAD
        return not tall or (self.box.width < MISREAD and len(self.text.strip()) > 1)


@dataclass(frozen=True)
class Item:
    """One task: an upright RGB picture, its title and further texts, its industry path. Any of them may be missing.

    ``whole`` is the picture's width and height where ``image`` is a reduced copy of it.
    """

    image: "Image | None"
    title: str = ""
    industry: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    whole: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the whole upright picture; (0, 0) without one."""
        if self.image is None:
            return 0, 0
        return self.whole or self.image.size


@dataclass(frozen=True)
class LabelledBox:
    """A gold rectangle."""

    label: str
    box: Box


@dataclass(frozen=True)
class Gold:
    """What annotators said of one item: for each label yes, no or unknown, as a tag and as boxes.

    ``labels`` are those that are there: chosen as tags, or drawn. A label that is neither in ``labels`` nor in
    ``unknown`` is not there. ``boxes`` are the gold rectangles, None when the project has none or nobody drew. Of a
    label in ``unknown_boxes`` there may be more of them. ``weight`` is the share of annotators behind it, in (0, 1].

    ``accepted`` is the version whose proposal the annotators took over unchanged, None when they changed something or
    had no proposal. ``notes`` say in words why something is unknown, or what was overruled by what.
    """

    labels: frozenset[str]
    boxes: tuple[LabelledBox, ...] | None = None
    weight: float = 1.0
    unknown: frozenset[str] = frozenset()
    unknown_boxes: frozenset[str] = frozenset()
    accepted: str | None = None
    notes: tuple[str, ...] = ()

    def says_something(self, labels: Iterable[str]) -> bool:
        """Whether it says yes or no to any of these labels, or shows a box."""
        return bool(self.labels or self.boxes) or not self.unknown.issuperset(labels)

    def says(self, label: str) -> bool | None:
        """Whether the label is there; None when that is unknown."""
        return None if label in self.unknown else label in self.labels


@dataclass(frozen=True)
class PredictedBox:
    """A predicted rectangle with its confidence in [0, 1]."""

    label: str
    box: Box
    score: float


@dataclass(frozen=True)
class Prediction:
    """The model's answer for one item.

    ``probabilities`` holds one calibrated probability per label, ``labels`` those over their threshold, ``score`` the
    confidence in the whole task in [0, 1] (low: label it first).
    """

    probabilities: dict[str, float]
    labels: tuple[str, ...]
    boxes: tuple[PredictedBox, ...]
    score: float

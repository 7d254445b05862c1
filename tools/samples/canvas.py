"""A picture under way: pieces are laid where there is room, and boxed as they land."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageStat

from tools.samples.elements import Piece, Rect
from tools.samples.ink import Rgb

_ANCHORS: dict[str, tuple[float, float]] = {
    "top-left": (0, 0), "top": (0.5, 0), "top-right": (1, 0), "left": (0, 0.45), "right": (1, 0.45),
    "bottom-left": (0, 1), "bottom": (0.5, 1), "bottom-right": (1, 1), "middle": (0.5, 0.5),
    "upper-left": (0, 0.2), "upper-right": (1, 0.2), "lower-left": (0, 0.75), "lower-right": (1, 0.75),
}  # fmt: skip


@dataclass(frozen=True)
class Box:
    """One element: its label and its place in percent of the picture."""

    label: str
    x: float
    y: float
    width: float
    height: float
    extra: str = ""


class Canvas:
    """The picture and what has been laid on it."""

    def __init__(self, ground: Image.Image) -> None:
        self.image = ground
        self.boxes: list[Box] = []
        self._taken: list[Rect] = []
        self._product: Rect | None = None

    def ground(self, spot: Rect) -> Rgb:
        """The mean colour under a place."""
        left, top = max(0, spot[0]), max(0, spot[1])
        right, low = min(self.image.width, spot[2]), min(self.image.height, spot[3])
        if right <= left or low <= top:
            return (255, 255, 255)
        mean = ImageStat.Stat(self.image.crop((left, top, right, low))).mean
        return round(mean[0]), round(mean[1]), round(mean[2])

    def at(self, anchor: str, size: tuple[int, int]) -> Rect:
        """The place of a piece of that size at an anchor."""
        x, y = _ANCHORS[anchor]
        left, top = round((self.image.width - size[0]) * x), round((self.image.height - size[1]) * y)
        return left, top, left + size[0], top + size[1]

    def product(self, picture: Image.Image, spot: tuple[int, int], core: Rect) -> None:
        """Lay the product itself and box what is seen of it."""
        self.image.paste(picture, spot, picture)
        left, top = max(0, spot[0] + core[0]), max(0, spot[1] + core[1])
        right, low = min(self.image.width, spot[0] + core[2]), min(self.image.height, spot[1] + core[3])
        if right - left > 4 and low - top > 4:
            self._product = (left, top, right, low)
            self.box("主体", self._product)

    def lay(
        self, rng: Random, piece: Piece, anchors: tuple[str, ...], margin: int = 8, room: float = 0.18
    ) -> Rect | None:
        """Lay a piece at the freest of the anchors; None when all of them are taken."""
        picture = piece.picture
        if picture.width > self.image.width or picture.height > self.image.height:
            return None
        spots = [self._shifted(rng, self.at(anchor, picture.size), margin) for anchor in anchors]
        costs = [self._cost(spot) + 0.01 * turn for turn, spot in enumerate(spots)]
        best = min(range(len(spots)), key=costs.__getitem__)
        if self._crowded(spots[best]) > room:
            return None
        self.image.paste(picture, spots[best][:2], picture)
        self._taken.append(spots[best])
        return spots[best]

    def box(self, label: str, spot: Rect, extra: str = "") -> None:
        """Note an element, cut to the picture."""
        x, y, width, height = self.percent(spot)
        self.boxes.append(Box(label, x, y, width, height, extra))

    def percent(self, spot: Rect) -> tuple[float, float, float, float]:
        wide, high = self.image.size
        left, top, right, low = max(0, spot[0]), max(0, spot[1]), min(wide, spot[2]), min(high, spot[3])
        x, y = round(left / wide * 100, 2), round(top / high * 100, 2)
        return (
            x,
            y,
            round(min((right - left) / wide * 100, 100 - x), 2),
            round(min((low - top) / high * 100, 100 - y), 2),
        )

    def _shifted(self, rng: Random, spot: Rect, margin: int) -> Rect:
        """Moved off the edge by the margin and a little chance."""
        wide, high = spot[2] - spot[0], spot[3] - spot[1]
        gap = round(margin * rng.uniform(0.2, 1.8))
        left = min(max(spot[0], gap), self.image.width - wide - min(gap, self.image.width - wide))
        top = min(max(spot[1], gap), self.image.height - high - min(gap, self.image.height - high))
        top += rng.randint(-6, 6) if gap < top < self.image.height - high - gap else 0
        return left, top, left + wide, top + high

    def _crowded(self, spot: Rect) -> float:
        """The share of the place that other pieces hold."""
        area = max(1, (spot[2] - spot[0]) * (spot[3] - spot[1]))
        return sum(_shared(spot, other) for other in self._taken) / area

    def _cost(self, spot: Rect) -> float:
        area = max(1, (spot[2] - spot[0]) * (spot[3] - spot[1]))
        covered = _shared(spot, self._product) / area if self._product else 0
        return 4 * self._crowded(spot) + 0.7 * covered


def inner(spot: Rect, part: Rect) -> Rect:
    """A part of a laid piece, in the picture's own pixels."""
    return spot[0] + part[0], spot[1] + part[1], spot[0] + part[2], spot[1] + part[3]


def _shared(one: Rect, other: Rect) -> int:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, wide) * max(0, high)

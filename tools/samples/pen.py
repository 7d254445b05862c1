"""A pen on a 100 x 100 sheet: shaded areas, tubes, strokes and prints, drawn large and scaled down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tools.samples.ink import Rgb, lighter, painted

Point = tuple[float, float]
SIDE = 100


def smooth(points: Sequence[Point], closed: bool = True, steps: int = 6) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    spots = np.asarray(points, float)
    ends = (spots[-1:], spots[:2]) if closed else (spots[:1], spots[-1:])
    around = np.vstack([ends[0], spots, ends[1]])
    a, b, c, d = around[:-3], around[1:-2], around[2:-1], around[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = a[:, None], b[:, None], c[:, None], d[:, None]
    bend = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    run = (bend / 2).reshape(-1, 2)
    if not closed:
        run = np.vstack([run, around[-1:]])
    return [(float(x), float(y)) for x, y in run]


def mirrored(half: Sequence[Point], axis: float = 50) -> list[Point]:
    """The closed outline whose left half, top to bottom, is given."""
    return [*half, *((2 * axis - x, y) for x, y in reversed(half))]


def ring(cx: float, cy: float, rx: float, ry: float | None = None, count: int = 40) -> list[Point]:
    """The outline of an ellipse."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    up = rx if ry is None else ry
    return [(float(cx + rx * np.cos(a)), float(cy + up * np.sin(a))) for a in angles]


class Pen:
    """Draws on a transparent sheet; coordinates run from 0 to 100 both ways."""

    def __init__(self, resolution: float) -> None:
        self.scale = resolution
        side = round(SIDE * resolution)
        self.sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))

    def _mask(self, points: Sequence[Point]) -> tuple[Image.Image, tuple[int, int]] | None:
        spots = np.asarray(points) * self.scale
        low = np.maximum(np.floor(spots.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(spots.max(0)).astype(int) + 1, self.sheet.size)
        if (high - low < 1).any():
            return None
        mask = Image.new("L", (int(high[0] - low[0]), int(high[1] - low[1])), 0)
        ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in spots - low], fill=255)
        return mask, (int(low[0]), int(low[1]))

    def area(
        self,
        points: Sequence[Point],
        colour: Rgb,
        shade: str = "flat",
        pattern: Image.Image | None = None,
        alpha: float = 1,
    ) -> None:
        """Fill an outline; a pattern is an RGBA picture laid over the colour."""
        found = self._mask(points)
        if found is None:
            return
        mask, spot = found
        if alpha < 1:
            mask = mask.point(lambda v: int(v * alpha))
        paint = painted(mask.size, colour, shade)
        if pattern is not None:
            cut = pattern.crop((0, 0, *mask.size))
            paint.paste(cut.convert("RGB"), (0, 0), cut.getchannel("A"))
        self._lay(paint, spot, mask)

    def _lay(self, paint: Image.Image, spot: tuple[int, int], mask: Image.Image) -> None:
        """Paint over, keeping what is already opaque opaque."""
        box = (*spot, spot[0] + mask.width, spot[1] + mask.height)
        under = self.sheet.crop(box)
        over = paint.convert("RGBA")
        over.putalpha(mask)
        under.alpha_composite(over)
        self.sheet.paste(under, spot)

    def curve(
        self,
        points: Sequence[Point],
        colour: Rgb,
        shade: str = "flat",
        pattern: Image.Image | None = None,
        alpha: float = 1,
    ) -> None:
        """Fill a smoothed outline."""
        self.area(smooth(points), colour, shade, pattern, alpha)

    def oval(
        self,
        cx: float,
        cy: float,
        rx: float,
        ry: float | None,
        colour: Rgb,
        shade: str = "flat",
        alpha: float = 1,
    ) -> None:
        self.area(ring(cx, cy, rx, ry), colour, shade, None, alpha)

    def slab(
        self,
        box: tuple[float, float, float, float],
        radius: float,
        colour: Rgb,
        shade: str = "flat",
        pattern: Image.Image | None = None,
        alpha: float = 1,
    ) -> None:
        """A rectangle with round corners."""
        self.area(rounded(box, radius), colour, shade, pattern, alpha)

    def stroke(self, points: Sequence[Point], width: float, colour: Rgb, bend: bool = True) -> None:
        """A line with round joints."""
        run = smooth(points, closed=False) if bend and len(points) > 2 else list(points)
        wide = max(1, round(width * self.scale))
        spots = [(x * self.scale, y * self.scale) for x, y in run]
        ImageDraw.Draw(self.sheet).line(spots, fill=(*colour, 255), width=wide, joint="curve")

    def cord(self, points: Sequence[Point], width: float, colour: Rgb) -> None:
        """A round cord: a stroke with its own light."""
        self.stroke(points, width, colour)
        self.stroke([(x - width * 0.12, y - width * 0.15) for x, y in points], width * 0.3, lighter(colour))

    def turned(
        self,
        profile: Sequence[tuple[float, float]],
        colour: Rgb,
        shade: str = "tube",
        cx: float = 50,
        pattern: Image.Image | None = None,
        alpha: float = 1,
    ) -> None:
        """A body of revolution: (height, radius) from top to bottom, its foot bowed."""
        run = smooth([(cx - r, y) for y, r in profile], closed=False)
        foot, radius = profile[-1]
        angles = np.linspace(np.pi, 0, 14)[1:-1]
        bow = [(float(cx + radius * np.cos(a)), float(foot + radius * 0.14 * np.sin(a))) for a in angles]
        right = [(2 * cx - x, y) for x, y in reversed(run)]
        self.area([*run, *bow, *right], colour, shade, pattern, alpha)

    def gleam(self, points: Sequence[Point], strength: float = 0.5) -> None:
        """A soft white light on what is already drawn."""
        light = Image.new("L", self.sheet.size, 0)
        spots = [(x * self.scale, y * self.scale) for x, y in points]
        ImageDraw.Draw(light).polygon(spots, fill=round(255 * strength))
        light = light.filter(ImageFilter.BoxBlur(self.scale))
        alpha = self.sheet.getchannel("A")
        self.sheet.paste((255, 255, 255), (0, 0), light)
        self.sheet.putalpha(alpha)

    def print(self, picture: Image.Image, cx: float, cy: float, width: float) -> None:
        """Lay a picture, such as a brand's name, on what is drawn."""
        wide = max(4, round(width * self.scale))
        high = max(3, round(picture.height * wide / max(picture.width, 1)))
        small = picture.resize((wide, high), Image.Resampling.BILINEAR)
        spot = (round(cx * self.scale - wide / 2), round(cy * self.scale - high / 2))
        self.sheet.alpha_composite(small, (max(0, spot[0]), max(0, spot[1])))

    def finished(self) -> Image.Image:
        """The drawing, cut to its own extent."""
        box = self.sheet.getchannel("A").point(lambda v: 255 if v > 60 else 0).getbbox()
        return self.sheet.crop(box) if box else self.sheet


def rounded(box: tuple[float, float, float, float], radius: float) -> list[Point]:
    """The outline of a rectangle with round corners."""
    left, top, right, bottom = box
    r = min(radius, (right - left) / 2, (bottom - top) / 2)
    centres = ((right - r, bottom - r, 0), (left + r, bottom - r, 1), (left + r, top + r, 2), (right - r, top + r, 3))
    outline: list[Point] = []
    for cx, cy, quarter in centres:
        angles = np.linspace(quarter, quarter + 1, 7) * np.pi / 2
        outline += [(float(cx + r * np.cos(a)), float(cy + r * np.sin(a))) for a in angles]
    return outline

"""Logos: symbols, plates, and a shop's name in several settings; and what is printed on goods."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageDraw

from tools.samples.brands import Brand
from tools.samples.ink import BLACK, WHITE, Rgb, readable
from tools.samples.pen import Pen, mirrored, ring
from tools.samples.type import line

_PLATFORMS = ("惠购节", "拼喜猫", "闪聚团", "品质汇", "云选好店", "乐拍拍")
_SHOPS = ("旗舰店", "官方旗舰店", "专卖店", "官方直营", "")


def symbol(number: int, side: int, colour: Rgb) -> Image.Image:
    """A drawn emblem, one of a dozen."""
    pen = Pen(side / 100)
    _EMBLEMS[number % len(_EMBLEMS)](pen, colour)
    return pen.sheet


def _hills(pen: Pen, colour: Rgb) -> None:
    for x in (10, 36, 62):
        pen.area([(x, 90), (x + 14, 12), (x + 28, 90), (x + 14, 64)], colour)


def _leaf(pen: Pen, colour: Rgb) -> None:
    pen.curve([(10, 90), (16, 30), (88, 8), (80, 70)], colour)
    pen.stroke([(14, 90), (70, 26)], 5, WHITE)


def _target(pen: Pen, colour: Rgb) -> None:
    pen.oval(50, 50, 46, 46, colour)
    pen.oval(50, 50, 30, 30, WHITE)
    pen.oval(62, 50, 22, 22, colour)


def _crown(pen: Pen, colour: Rgb) -> None:
    pen.area([(8, 86), (4, 26), (28, 54), (50, 10), (72, 54), (96, 26), (92, 86)], colour)


def _gem(pen: Pen, colour: Rgb) -> None:
    pen.area(ring(50, 50, 47, count=6), colour)
    pen.area([(50, 20), (76, 50), (50, 80), (24, 50)], WHITE)


def _wave(pen: Pen, colour: Rgb) -> None:
    for y in (18, 44, 70):
        pen.curve(
            [(4, y + 12), (28, y), (50, y + 10), (74, y + 2), (96, y + 10), (74, y + 18), (50, y + 24), (28, y + 14)],
            colour,
        )


def _letter(pen: Pen, colour: Rgb) -> None:
    pen.area([(10, 92), (38, 8), (58, 8), (90, 92), (68, 92), (48, 36), (30, 92)], colour)


def _bird(pen: Pen, colour: Rgb) -> None:
    pen.curve([(4, 40), (40, 50), (60, 14), (96, 8), (70, 40), (64, 84), (30, 72)], colour)


def _square(pen: Pen, colour: Rgb) -> None:
    pen.slab((4, 4, 96, 96), 18, colour)
    pen.stroke([(26, 74), (26, 26), (74, 74), (74, 26)], 11, WHITE, bend=False)


def _flower(pen: Pen, colour: Rgb) -> None:
    for x, y in ring(50, 50, 26, count=6):
        pen.oval(x, y, 20, 20, colour)
    pen.oval(50, 50, 12, 12, WHITE)


def _shield(pen: Pen, colour: Rgb) -> None:
    pen.curve(mirrored([(14, 10), (12, 52), (48, 96)]), colour)
    pen.stroke([(30, 46), (46, 64), (72, 30)], 9, WHITE, bend=False)


def _bars(pen: Pen, colour: Rgb) -> None:
    for step, x in enumerate((6, 30, 54, 78)):
        pen.slab((x, 70 - step * 20, x + 16, 94), 4, colour)


_EMBLEMS = (_hills, _leaf, _target, _crown, _gem, _wave, _letter, _bird, _square, _flower, _shield, _bars)


def beside(parts: list[Image.Image], gap: int, downwards: bool = False) -> Image.Image:
    """Pictures side by side, or one above the other, on a common axis."""
    wide, high = [part.width for part in parts], [part.height for part in parts]
    spare = gap * (len(parts) - 1)
    size = (max(wide), sum(high) + spare) if downwards else (sum(wide) + spare, max(high))
    room, at = Image.new("RGBA", size, (0, 0, 0, 0)), 0
    for part in parts:
        spot = ((size[0] - part.width) // 2, at) if downwards else (at, (size[1] - part.height) // 2)
        room.alpha_composite(part, spot)
        at += (part.height if downwards else part.width) + gap
    return room


def plated(picture: Image.Image, colour: Rgb, pad: int, radius: int = 0, alpha: int = 255) -> Image.Image:
    """The picture on a plate of colour."""
    room = Image.new("RGBA", (picture.width + 2 * pad, picture.height + 2 * pad), (*colour, 0))
    ImageDraw.Draw(room).rounded_rectangle((0, 0, room.width - 1, room.height - 1), radius, fill=(*colour, alpha))
    room.alpha_composite(picture, (pad, pad))
    return room


def logo(rng: Random, name: Brand, setting: str, size: int, ink: Rgb, plate: Rgb) -> Image.Image:
    """The overlay mark of a shop, in its setting."""
    if setting == "plate":
        return _plate(rng, _words(rng, name, size, readable(plate)), size, plate)
    emblem = symbol(name.symbol, round(size * 1.9), ink)
    if setting == "symbol":
        return (
            emblem
            if rng.random() < 0.5
            else beside([emblem, line(name.latin, "latolight", round(size * 0.6), ink)], 3, True)
        )
    return beside([emblem, _words(rng, name, size, ink)], max(3, size // 4), setting == "stack")


def _plate(rng: Random, words: Image.Image, size: int, plate: Rgb) -> Image.Image:
    return plated(words, plate, max(4, size // 3), rng.choice((0, 0, 4, 10)))


def lookalike(rng: Random, words: str, setting: str, size: int, ink: Rgb, plate: Rgb) -> Image.Image:
    """A word of copy in the dress of a logo: what tells them apart is what they say."""
    face = rng.choice(("lato", "serif", "times", "roboto")) if words.isascii() else rng.choice(("bold", "song", "kai"))
    if setting == "plate":
        return _plate(rng, line(words, face, size, readable(plate)), size, plate)
    drawn = line(words, face, size, ink)
    if setting == "line" or rng.random() < 0.5:
        return beside([symbol(rng.randrange(12), round(size * 1.7), ink), drawn], max(3, size // 4), setting == "stack")
    return drawn


def _words(rng: Random, name: Brand, size: int, ink: Rgb) -> Image.Image:
    face = rng.choice(("lato", "serif", "times", "roboto", "italic"))
    sign = "®" if rng.random() < 0.3 else ""
    latin = line(
        (name.latin.upper() if rng.random() < 0.5 else name.latin) + sign,
        face,
        size,
        ink,
        spacing=rng.choice((0, 0, 0.15)),
    )
    chinese = line(
        name.chinese + rng.choice(_SHOPS if rng.random() < 0.35 else ("",)),
        rng.choice(("bold", "song", "kai")),
        round(size * 0.72),
        ink,
    )
    choice = rng.random()
    if choice < 0.3:
        return latin
    if choice < 0.45:
        return chinese
    return beside([latin, chinese], 4, downwards=choice < 0.8)


def platform(rng: Random, size: int) -> Image.Image:
    """The mark of an invented market place."""
    colour: Rgb = rng.choice(((230, 0, 60), (255, 80, 0), (120, 20, 160)))
    words = line(rng.choice(_PLATFORMS), "black", size, WHITE)
    return plated(words, colour, max(4, size // 3), rng.choice((0, 4, size // 2)))


def imprint(rng: Random, name: Brand, noun: str) -> Image.Image:
    """What the maker prints on the goods: no overlay, so no logo and no copy."""
    ink: Rgb = rng.choice((BLACK, WHITE, (90, 90, 96), (200, 170, 110)))
    parts = [line(name.latin, rng.choice(("lato", "times", "roboto")), 34, ink)]
    if rng.random() < 0.45:
        parts.append(line(rng.choice(("天然温和", "经典", "专业级", "臻品", "倍护")) + noun, "bold", 24, ink))
    if rng.random() < 0.25:
        parts.append(line(rng.choice(("NET 500g", "SINCE 1987", "净含量 500ml", "MODEL X-20")), "roboto", 18, ink))
    return beside(parts, 6, downwards=True)


def burst(side: int, points: int, colour: Rgb, depth: float = 0.14) -> Image.Image:
    """A star-edged badge, drawn twice as large and scaled down."""
    big = side * 2
    radii = np.where(np.arange(points * 2) % 2 == 0, 0.5, 0.5 * (1 - depth)) * (big - 2)
    angles = np.arange(points * 2) * np.pi / points
    room = Image.new("RGBA", (big, big), (*colour, 0))
    spots = [
        (float(big / 2 + r * np.cos(a)), float(big / 2 + r * np.sin(a))) for r, a in zip(radii, angles, strict=True)
    ]
    ImageDraw.Draw(room).polygon(spots, fill=(*colour, 255))
    return room.resize((side, side), Image.Resampling.BILINEAR)

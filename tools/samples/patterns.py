"""Patterns for fabric, packaging and paper: transparent pictures laid over a colour."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageDraw

from tools.samples.ink import Array, Rgb, darker, hue, lighter

KINDS = ("stripes", "columns", "checks", "dots", "flowers", "knit", "grain", "marble", "plain", "plain")


def noise(rng: Random, size: tuple[int, int], cells: tuple[int, int]) -> Array:
    """Smooth noise from 0 to 1: a coarse random grid, scaled up."""
    source = np.random.default_rng(rng.getrandbits(32))
    grid = source.integers(0, 256, (max(2, cells[1]), max(2, cells[0])), dtype=np.uint8)
    grown = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(grown, np.float32) / 255


def pattern(rng: Random, kind: str, size: int, colour: Rgb) -> Image.Image | None:
    """A square picture of the kind, or None for a plain surface."""
    sheet = Image.new("RGBA", (size, size), (*colour, 0))
    brush = ImageDraw.Draw(sheet)
    tone = darker(colour, 0.4) if rng.random() < 0.5 else lighter(colour, 0.65)
    draw = {
        "stripes": _stripes,
        "columns": _columns,
        "checks": _checks,
        "dots": _dots,
        "flowers": _flowers,
        "knit": _knit,
    }
    if kind in draw:
        draw[kind](rng, brush, size, tone)
        return sheet
    return _cloud(rng, kind, size, tone) if kind in ("grain", "marble") else None


def _stripes(rng: Random, brush: ImageDraw.ImageDraw, size: int, tone: Rgb) -> None:
    step = size // rng.randint(7, 22)
    for y in range(0, size, step):
        brush.rectangle((0, y, size, y + step * 0.45), fill=(*tone, 190))


def _columns(rng: Random, brush: ImageDraw.ImageDraw, size: int, tone: Rgb) -> None:
    step = size // rng.randint(10, 40)
    for x in range(0, size, step):
        brush.rectangle((x, 0, x + step * 0.3, size), fill=(*tone, 150))


def _checks(rng: Random, brush: ImageDraw.ImageDraw, size: int, tone: Rgb) -> None:
    step = size // rng.randint(6, 16)
    for at in range(0, size, step):
        brush.rectangle((0, at, size, at + step * 0.4), fill=(*tone, 90))
    for at in range(0, size, step):
        brush.rectangle((at, 0, at + step * 0.4, size), fill=(*tone, 130))


def _dots(rng: Random, brush: ImageDraw.ImageDraw, size: int, tone: Rgb) -> None:
    step = size / rng.randint(9, 22)
    for row in range(int(size / step) + 1):
        for column in range(int(size / step) + 1):
            x, y = (column + row % 2 / 2) * step, row * step
            brush.ellipse((x, y, x + step * 0.35, y + step * 0.35), fill=(*tone, 220))


def _flowers(rng: Random, brush: ImageDraw.ImageDraw, size: int, tone: Rgb) -> None:
    bloom, heart = hue(rng, (0.35, 0.8), (0.7, 1)), hue(rng, (0.6, 0.9), (0.8, 1))
    for _ in range(rng.randint(18, 46)):
        x, y, r = rng.uniform(0, size), rng.uniform(0, size), size * rng.uniform(0.012, 0.03)
        for turn in range(5):
            px, py = x + r * np.cos(turn * 1.257), y + r * np.sin(turn * 1.257)
            brush.ellipse((px - r * 0.7, py - r * 0.7, px + r * 0.7, py + r * 0.7), fill=(*bloom, 230))
        brush.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=(*heart, 255))


def _knit(rng: Random, brush: ImageDraw.ImageDraw, size: int, tone: Rgb) -> None:
    step = max(6, size // rng.randint(26, 40))
    for y in range(0, size, step):
        run = [(x, y + (step // 2 if x // step % 2 else 0)) for x in range(0, size + step, step)]
        brush.line(run, fill=(*tone, 110), width=max(1, step // 4))


def _cloud(rng: Random, kind: str, size: int, tone: Rgb) -> Image.Image:
    cells = (5, 60) if kind == "grain" else (9, 9)
    light = noise(rng, (size, size), cells)
    if kind == "marble":
        light = np.clip(1 - np.abs(light - 0.5) * 14, 0, 1)
    sheet = Image.new("RGBA", (size, size), (*tone, 255))
    sheet.putalpha(Image.fromarray((light * 130).astype(np.uint8)))
    return sheet

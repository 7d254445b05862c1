"""Colours: mixing, contrast, and the shade maps that give a flat shape its volume."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageOps

Rgb = tuple[int, int, int]
Array = np.ndarray[Any, np.dtype[Any]]

WHITE: Rgb = (255, 255, 255)
BLACK: Rgb = (20, 20, 22)
STEEL: Rgb = (176, 180, 186)
GOLD: Rgb = (206, 166, 88)
SKIN: tuple[Rgb, ...] = ((246, 214, 190), (236, 196, 166), (222, 176, 142))


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """The colour `share` of the way from one to the other."""
    return (
        round(one[0] + (other[0] - one[0]) * share),
        round(one[1] + (other[1] - one[1]) * share),
        round(one[2] + (other[2] - one[2]) * share),
    )


def lighter(colour: Rgb, share: float = 0.4) -> Rgb:
    return mix(colour, WHITE, share)


def darker(colour: Rgb, share: float = 0.35) -> Rgb:
    return mix(colour, (0, 0, 0), share)


def luminance(colour: Rgb) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def readable(colour: Rgb) -> Rgb:
    """White or near-black, whichever stands out on the colour."""
    return BLACK if luminance(colour) > 150 else WHITE


def hue(rng: Random, saturation: tuple[float, float], value: tuple[float, float]) -> Rgb:
    """A random hue within bounds of saturation and value."""
    angle, s, v = rng.random() * 6, rng.uniform(*saturation), rng.uniform(*value)
    parts = [v - v * s * max(min((k := (n + angle) % 6), 4 - k, 1), 0) for n in (5, 3, 1)]
    return (round(parts[0] * 255), round(parts[1] * 255), round(parts[2] * 255))


def _curve(values: Sequence[float], count: int = 32) -> Array:
    spots = np.linspace(0, 1, len(values))
    curve: Array = np.interp(np.linspace(0, 1, count), spots, values)
    return curve


_ACROSS = {
    "tube": (0.22, 0.5, 0.86, 0.64, 0.5, 0.36, 0.24, 0.34),
    "metal": (0.3, 0.85, 0.4, 0.5, 0.95, 0.55, 0.28, 0.7, 0.35),
    "glass": (0.35, 0.95, 0.6, 0.5, 0.48, 0.5, 0.7, 0.4),
    "side": (0.62, 0.5, 0.34),
    "fold": (0.4, 0.58, 0.42, 0.6, 0.5, 0.38, 0.56, 0.44, 0.36),
}
_DOWN = {"down": (0.72, 0.54, 0.36), "up": (0.36, 0.5, 0.7), "band": (0.3, 0.8, 0.5, 0.3)}


@lru_cache(maxsize=32)
def _map(shade: str) -> Image.Image:
    if shade in _ACROSS:
        grid = np.tile(_curve(_ACROSS[shade]), (2, 1))
    elif shade in _DOWN:
        grid = np.tile(_curve(_DOWN[shade])[:, None], (1, 2))
    elif shade == "ball":
        grid = _ball()
    elif shade == "diag":
        across = np.linspace(0, 1, 16)
        grid = 0.74 - 0.4 * (across[None] * 0.5 + across[:, None] * 0.5)
    else:
        grid = np.full((2, 2), 0.5)
    return Image.fromarray((grid * 255).astype(np.uint8))


def _ball() -> Array:
    across = np.linspace(-1, 1, 32)
    far = np.hypot(across[None] + 0.35, across[:, None] + 0.4)
    grid: Array = np.clip(0.92 - 0.42 * far, 0.2, 1)
    return grid


@lru_cache(maxsize=4096)
def _lit(colour: Rgb, shade: str) -> Image.Image:
    return ImageOps.colorize(_map(shade), darker(colour, 0.72), lighter(colour, 0.85), colour)


def painted(size: tuple[int, int], colour: Rgb, shade: str) -> Image.Image:
    """A picture of that size in the colour, lit after the named shade map."""
    if shade == "flat":
        return Image.new("RGB", size, colour)
    return _lit(colour, shade).resize(size, Image.Resampling.BILINEAR)


def gradient(size: tuple[int, int], colours: Sequence[Rgb], downwards: bool = True) -> Image.Image:
    """A smooth run through the colours, top to bottom or left to right."""
    strip = np.array(colours, np.uint8)
    strip = strip[:, None] if downwards else strip[None]
    ramp = Image.fromarray(np.repeat(strip, 2, axis=1 if downwards else 0))
    return ramp.resize(size, Image.Resampling.BICUBIC)

"""How one product looks: its colours, its pattern, and the name printed on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image

from tools.samples.ink import Rgb
from tools.samples.pen import Pen


@dataclass(frozen=True)
class Look:
    colour: Rgb
    accent: Rgb
    pattern: Image.Image | None = None
    mark: Image.Image | None = None
    variant: int = 0


Shape = Callable[[Pen, Random, Look], None]


def stamp(pen: Pen, look: Look, cx: float, cy: float, width: float) -> None:
    """Print the product's own mark, where it has one."""
    if look.mark is not None:
        pen.print(look.mark, cx, cy, width)

"""Boxes, pouches, cans and stacks: what goods and gifts are packed in."""

from __future__ import annotations

from random import Random

from tools.samples.ink import GOLD, WHITE, Rgb, darker, hue, lighter
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen


def box(pen: Pen, rng: Random, look: Look) -> None:
    """A carton seen from a corner."""
    high, skew = rng.uniform(24, 46), rng.uniform(10, 20)
    top = 92 - high - skew
    pen.area([(10, top + skew), (62, top + skew + 4), (62, 92), (10, 88)], look.colour, "side", look.pattern)
    pen.area([(62, top + skew + 4), (92, top + 4), (92, 80), (62, 92)], darker(look.colour, 0.35), "side")
    pen.area([(10, top + skew), (40, top), (92, top + 4), (62, top + skew + 4)], lighter(look.colour, 0.35), "down")
    stamp(pen, look, 36, top + skew + high * 0.36, 36)
    pen.slab((20, 70, 52, 78), 2, look.accent, "down")


def gift(pen: Pen, rng: Random, look: Look) -> None:
    """A present with a bow."""
    tie: Rgb = rng.choice((GOLD, WHITE, (220, 30, 50), look.accent))
    pen.slab((18, 48, 82, 92), 1, look.colour, "side", look.pattern)
    pen.slab((13, 38, 87, 52), 1, lighter(look.colour, 0.15), "down")
    pen.slab((44, 38, 56, 92), 0, tie, "metal")
    pen.curve([(50, 38), (32, 34), (22, 20), (34, 14), (48, 30)], tie, "ball")
    pen.curve([(50, 38), (68, 34), (78, 20), (66, 14), (52, 30)], darker(tie, 0.15), "ball")
    pen.oval(50, 35, 6, 5, darker(tie, 0.25), "ball")


def pouch(pen: Pen, rng: Random, look: Look) -> None:
    """A snack bag with a window."""
    pen.curve(
        [(22, 10), (50, 12), (78, 10), (82, 50), (79, 92), (50, 90), (21, 92), (18, 50)],
        look.colour,
        "fold",
        look.pattern,
    )
    pen.slab((21, 8, 79, 15), 0.5, lighter(look.colour, 0.3), "tube")
    stamp(pen, look, 50, 27, 42)
    pen.oval(50, 64, 22, 18, lighter(look.colour, 0.7), "ball")
    nut: Rgb = rng.choice(((150, 96, 52), (196, 148, 88), (110, 60, 40), (120, 150, 70)))
    for _ in range(16):
        x, y = 50 + rng.gauss(0, 8), 64 + rng.gauss(0, 6)
        pen.oval(x, y, rng.uniform(3, 5), rng.uniform(2.5, 4), nut, "ball")


def tin(pen: Pen, rng: Random, look: Look) -> None:
    """A tea tin, and a heap of leaves or a second tin."""
    wide = rng.uniform(18, 24)
    pen.turned([(24, wide), (92, wide)], look.colour, "tube", pattern=look.pattern)
    pen.turned([(14, wide * 0.96), (30, wide * 1.02)], rng.choice((GOLD, look.accent, darker(look.colour))), "metal")
    pen.oval(50, 14, wide * 0.96, wide * 0.14, lighter(look.accent, 0.3), "diag")
    pen.oval(50, 60, wide * 0.62, 16, lighter(look.colour, 0.75), "flat")
    stamp(pen, look, 50, 60, wide)


def biscuits(pen: Pen, rng: Random, look: Look) -> None:
    """A plate of pastry."""
    pen.oval(50, 74, 44, 15, darker(WHITE, 0.12), "down")
    pen.oval(50, 71, 42, 13, WHITE, "ball")
    dough: Rgb = rng.choice(((222, 170, 96), (120, 74, 44), (236, 206, 150), (196, 210, 150)))
    for row, count in enumerate((5, 4, 3, 1)):
        for at in range(count):
            x, y = 50 + (at - (count - 1) / 2) * 15, 68 - row * 11
            pen.turned([(y - 4, 8), (y + 3, 8.4)], darker(dough, 0.2), "tube", x)
            pen.oval(x, y - 4, 8, 3.6, dough, "ball")
    for _ in range(14):
        pen.oval(rng.uniform(24, 76), rng.uniform(34, 72), 0.9, 0.7, (80, 44, 30))


def diapers(pen: Pen, rng: Random, look: Look) -> None:
    """A soft pack of nappies."""
    pen.curve(
        [(14, 18), (40, 14), (84, 18), (88, 56), (84, 92), (48, 94), (14, 90), (10, 54)],
        look.colour,
        "fold",
        look.pattern,
    )
    pen.curve([(30, 17), (50, 8), (70, 17), (50, 15)], lighter(look.colour, 0.5))
    pen.curve([(12, 62), (40, 52), (88, 66), (84, 91), (48, 93), (14, 90)], WHITE, "down", alpha=0.85)
    stamp(pen, look, 48, 32, 50)
    _face(pen, 52, 66, rng)
    pen.oval(24, 80, 8, 8, look.accent, "ball")


def _face(pen: Pen, cx: float, cy: float, rng: Random) -> None:
    pen.oval(cx, cy, 13, 13, rng.choice(((250, 220, 196), (242, 204, 176))), "ball")
    pen.curve([(cx - 10, cy - 8), (cx, cy - 14), (cx + 10, cy - 8), (cx, cy - 10)], (90, 60, 40))
    for side in (-5, 5):
        pen.oval(cx + side, cy - 1, 1.5, 2, (40, 30, 30))
    pen.curve([(cx - 5, cy + 4), (cx, cy + 5), (cx + 5, cy + 4), (cx, cy + 9)], (210, 80, 80))


def bedding(pen: Pen, rng: Random, look: Look) -> None:
    """A folded set of bedding, pillows on top."""
    tones = (look.colour, lighter(look.colour, 0.5), look.accent, hue(rng, (0.05, 0.3), (0.8, 0.95)))
    for layer in range(4):
        y = 86 - layer * 12
        pen.curve(
            [(10, y - 7), (50, y - 9), (90, y - 7), (92, y), (90, y + 6), (50, y + 7), (10, y + 6), (8, y)],
            tones[layer % 4],
            "down",
            look.pattern if layer % 2 == 0 else None,
        )
    for x in (30, 66):
        pen.curve(
            [(x - 22, 20), (x, 16), (x + 22, 22), (x + 20, 42), (x, 46), (x - 21, 42)], tones[0], "ball", look.pattern
        )


def mask(pen: Pen, rng: Random, look: Look) -> None:
    """Flat sachets fanned out."""
    for turn in range(3):
        shift = turn * 13
        pen.area(
            [
                (12 + shift, 22 + turn * 2),
                (50 + shift, 14 + turn * 4),
                (58 + shift, 80 + turn * 5),
                (20 + shift, 88 + turn * 3),
            ],
            lighter(look.colour, turn * 0.15),
            "diag",
            look.pattern,
        )
    stamp(pen, look, 62, 40, 30)
    pen.oval(64, 64, 10, 12, lighter(look.colour, 0.7), "ball")

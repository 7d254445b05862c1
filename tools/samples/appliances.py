"""Household appliances."""

from __future__ import annotations

from random import Random

from tools.samples.ink import BLACK, GOLD, STEEL, WHITE, Rgb, darker, lighter, mix
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen, ring

_SHELL: tuple[Rgb, ...] = (WHITE, (236, 238, 240), STEEL, (60, 62, 68), (226, 210, 190))


def _shell(rng: Random, look: Look) -> Rgb:
    return rng.choice((*_SHELL, mix(look.colour, WHITE, 0.3)))


def fridge(pen: Pen, rng: Random, look: Look) -> None:
    tone, doors = _shell(rng, look), rng.choice((1, 2, 3))
    pen.area([(72, 5), (78, 8), (78, 93), (72, 96)], darker(tone, 0.4), "side")
    pen.slab((30, 4, 72, 96), 1, tone, "diag", look.pattern)
    if look.variant % 2:
        pen.stroke([(51, 4), (51, 96)], 0.8, darker(tone, 0.5))
        for x in (48.5, 53):
            pen.slab((x, 34, x + 1.2, 64), 0.6, STEEL, "metal")
    for door in range(1, doors + 1):
        y = 4 + 92 * door / (doors + 1)
        pen.stroke([(30, y), (72, y)], 1, darker(tone, 0.5))
    pen.slab((58, 20, 66, 24), 0.6, (20, 30, 40), "down")
    stamp(pen, look, 39, 9, 10)


def aircon(pen: Pen, rng: Random, look: Look) -> None:
    if look.variant % 3 == 2:
        return _tower(pen, rng, look)
    tone = _shell(rng, look)
    pen.slab((3, 34, 97, 62), 4, tone, "down", look.pattern)
    pen.curve([(4, 56), (50, 58), (96, 56), (95, 66), (50, 68), (5, 66)], darker(tone, 0.2), "down")
    pen.area([(8, 62), (92, 62), (90, 66), (10, 66)], (40, 42, 48), "down")
    pen.slab((78, 44, 90, 50), 1, lighter(tone, 0.3))
    pen.stroke([(81, 47), (87, 47)], 1.4, (70, 190, 220))
    pen.stroke([(6, 54), (94, 54)], 0.8, GOLD)
    stamp(pen, look, 50, 46, 18)
    return None


def _tower(pen: Pen, rng: Random, look: Look) -> None:
    tone = _shell(rng, look)
    pen.turned([(4, 13), (94, 14)], tone, "tube", pattern=look.pattern)
    pen.slab((44, 10, 56, 42), 2, (44, 46, 52), "tube")
    for y in range(13, 41, 4):
        pen.stroke([(45, y), (55, y)], 0.8, STEEL)
    stamp(pen, look, 50, 54, 13)
    pen.stroke([(37, 62), (63, 62)], 1, GOLD)


def washer(pen: Pen, rng: Random, look: Look) -> None:
    tone = _shell(rng, look)
    pen.slab((18, 8, 82, 94), 2, tone, "diag", look.pattern)
    pen.slab((18, 8, 82, 22), 2, darker(tone, 0.15), "down")
    pen.oval(66, 15, 4, 4, STEEL, "metal")
    pen.slab((40, 11, 58, 19), 1, (20, 26, 34), "down")
    stamp(pen, look, 28, 15, 14)
    pen.oval(50, 58, 27, 27, STEEL, "metal")
    pen.oval(50, 58, 22, 22, (30, 36, 46), "ball")
    pen.oval(50, 58, 17, 17, mix(look.accent, (30, 50, 90), 0.6), "ball")
    pen.gleam([(38, 48), (48, 40), (44, 60), (38, 62)], 0.4)


def heater(pen: Pen, rng: Random, look: Look) -> None:
    """A water heater on its side, or a flat one."""
    tone = _shell(rng, look)
    pen.curve(
        [(4, 48), (8, 34), (22, 30), (80, 30), (92, 36), (96, 50), (92, 66), (80, 71), (20, 71), (8, 66)],
        tone,
        "down",
        look.pattern,
    )
    pen.curve(
        [(72, 31), (82, 30), (92, 36), (96, 50), (92, 66), (82, 71), (74, 70), (80, 50)], darker(tone, 0.15), "side"
    )
    pen.oval(86, 51, 4.5, 6, (60, 62, 68), "ball")
    pen.oval(86, 51, 2.5, 3.5, STEEL, "metal")
    for x in (30, 66):
        pen.slab((x, 70, x + 2.4, 78), 0.5, STEEL, "metal")
    pen.slab((44, 44, 58, 52), 1.5, (24, 30, 40), "down")
    stamp(pen, look, 28, 50, 16)


def robot(pen: Pen, rng: Random, look: Look) -> None:
    """A robot vacuum from above at an angle."""
    tone = rng.choice((WHITE, BLACK, (200, 176, 160), look.colour))
    flat = rng.uniform(0.5, 0.95)
    pen.oval(50, 58, 44, 44 * flat * 0.9, darker(tone, 0.55), "tube")
    pen.oval(50, 53, 44, 44 * flat * 0.9, tone, "ball")
    pen.oval(50, 53, 34, 34 * flat * 0.9, lighter(tone, 0.12), "diag")
    pen.oval(50, 50 - 14 * flat, 9, 9 * flat, darker(tone, 0.4), "metal")
    pen.slab((44, 58, 56, 64), 2, (24, 30, 40), "down")
    stamp(pen, look, 50, 56 + 16 * flat, 16)


def juicer(pen: Pen, rng: Random, look: Look) -> None:
    tone = rng.choice((look.colour, BLACK, STEEL, (190, 140, 100)))
    pen.slab((42, 4, 58, 18), 2, BLACK, "tube")
    pen.turned([(16, 9), (24, 20), (44, 22), (50, 18)], (200, 214, 220), "glass", alpha=0.8)
    pen.turned([(26, 14), (46, 16)], mix(look.accent, (250, 160, 40), 0.7), "tube", alpha=0.6)
    pen.turned([(48, 20), (54, 21)], STEEL, "metal")
    pen.turned([(54, 20), (70, 22), (92, 26), (96, 26)], tone, "metal")
    pen.oval(50, 74, 5, 5, STEEL, "metal")
    pen.area([(70, 46), (82, 48), (82, 54), (70, 52)], BLACK, "down")
    pen.turned([(66, 8), (92, 8)], (250, 170, 60), "glass", 86, alpha=0.9)
    stamp(pen, look, 50, 86, 18)


def cooker(pen: Pen, rng: Random, look: Look) -> None:
    """A rice cooker or pressure pot."""
    tone = rng.choice((*_SHELL, look.colour, (120, 30, 36)))
    pen.curve([(14, 44), (20, 80), (36, 90), (64, 90), (80, 80), (86, 44), (50, 34)], tone, "tube", look.pattern)
    pen.curve([(12, 46), (18, 26), (50, 18), (82, 26), (88, 46), (50, 52)], lighter(tone, 0.12), "ball")
    pen.slab((40, 20, 60, 26), 3, STEEL, "metal")
    pen.slab((32, 58, 68, 80), 3, (24, 28, 36), "down")
    for x in (38, 50, 62):
        pen.oval(x, 75, 2, 2, (110, 190, 230))
    pen.stroke([(42, 65), (58, 65)], 3, (90, 210, 240))
    stamp(pen, look, 50, 44, 16)


def dryer(pen: Pen, rng: Random, look: Look) -> None:
    """A hair dryer."""
    tone = rng.choice((look.colour, BLACK, WHITE, (220, 60, 120)))
    pen.area([(44, 46), (60, 46), (66, 94), (52, 95)], darker(tone, 0.15), "tube")
    pen.curve(
        [(12, 26), (40, 14), (70, 16), (84, 30), (80, 46), (60, 52), (36, 48), (12, 44)], tone, "down", look.pattern
    )
    pen.area([(2, 25), (13, 25), (13, 45), (2, 45)], BLACK, "metal")
    pen.oval(78, 32, 9, 13, STEEL, "metal")
    pen.oval(78, 32, 6, 9, (40, 42, 46), "ball")
    for y in (62, 70):
        pen.slab((53, y, 58, y + 4), 1.4, STEEL, "metal")
    stamp(pen, look, 46, 32, 22)


def fan(pen: Pen, rng: Random, look: Look) -> None:
    tone = rng.choice((WHITE, BLACK, look.colour))
    pen.oval(50, 92, 22, 5, tone, "tube")
    pen.slab((47.5, 58, 52.5, 92), 1, tone, "tube")
    pen.oval(50, 35, 31, 31, lighter(tone, 0.6), "ball", 0.35)
    for turn in range(5):
        spots = ring(50, 35, 27, count=15)
        a, b, c = spots[turn * 3], spots[turn * 3 + 1], spots[(turn * 3 + 2) % 15]
        pen.curve([(50, 35), a, b, ((c[0] + 50) / 2, (c[1] + 35) / 2)], look.accent, "diag", alpha=0.8)
    for spot in ring(50, 35, 31, count=36):
        pen.stroke([(50, 35), spot], 0.45, darker(tone, 0.35))
    pen.stroke([*ring(50, 35, 31), (81, 35)], 2, tone)
    pen.oval(50, 35, 6, 6, tone, "ball")


def toothbrush(pen: Pen, rng: Random, look: Look) -> None:
    """An electric toothbrush on its stand."""
    pen.turned([(86, 15), (94, 17)], WHITE, "tube")
    pen.turned([(38, 5), (46, 7), (70, 7.5), (88, 6.5)], look.colour, "tube", pattern=look.pattern)
    pen.turned([(14, 2), (38, 3.4)], WHITE, "tube")
    pen.slab((46, 6, 55, 18), 1.5, WHITE, "down")
    for x in range(46, 55, 2):
        pen.slab((x, 5, x + 1.3, 13), 0.4, look.accent if x % 4 else WHITE)
    pen.oval(50, 54, 3, 3, STEEL, "metal")
    stamp(pen, look, 50, 74, 10)

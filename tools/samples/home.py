"""Furniture and what is built into a home."""

from __future__ import annotations

from random import Random

from tools.samples.ink import BLACK, GOLD, STEEL, WHITE, Rgb, darker, lighter
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen

WOOD: tuple[Rgb, ...] = ((150, 104, 62), (196, 156, 108), (92, 60, 40), (222, 196, 156))


def sofa(pen: Pen, rng: Random, look: Look) -> None:
    seats = rng.choice((2, 3))
    for x in (12, 84):
        pen.slab((x, 80, x + 4, 88), 0.5, rng.choice(WOOD), "tube")
    pen.slab((10, 32, 90, 66), 6, darker(look.colour, 0.1), "down", look.pattern)
    for seat in range(seats):
        left, step = 16 + seat * 68 / seats, 68 / seats
        pen.slab((left, 36, left + step, 62), 5, look.colour, "ball", look.pattern)
        pen.slab((left, 58, left + step, 72), 4, lighter(look.colour, 0.12), "down", look.pattern)
    pen.slab((14, 70, 86, 82), 2, darker(look.colour, 0.22), "down")
    for left in (3, 83):
        pen.slab((left, 46, left + 14, 82), 6, look.colour, "tube", look.pattern)
    for x in (26, 70):
        pen.area([(x - 7, 46), (x + 6, 44), (x + 8, 58), (x - 6, 60)], look.accent, "ball")


def chair(pen: Pen, rng: Random, look: Look) -> None:
    wood = rng.choice(WOOD)
    for top, foot in (((34, 60), (26, 95)), ((66, 60), (76, 95)), ((40, 58), (40, 88)), ((62, 58), (64, 88))):
        pen.stroke([top, foot], 3, wood)
    pen.curve([(28, 54), (50, 50), (72, 54), (76, 62), (50, 67), (24, 62)], look.colour, "down", look.pattern)
    pen.curve([(30, 10), (50, 6), (70, 10), (72, 34), (68, 56), (32, 56), (28, 34)], look.colour, "diag", look.pattern)
    if look.variant % 2:
        for y in (22, 36):
            for x in (40, 50, 60):
                pen.oval(x, y, 1.2, 1.2, darker(look.colour), "ball")


def lamp(pen: Pen, rng: Random, look: Look) -> None:
    metal = rng.choice((GOLD, BLACK, WHITE, STEEL))
    pen.oval(46, 92, 22, 5, metal, "metal")
    if look.variant % 2:
        pen.stroke([(46, 90), (36, 50), (60, 18)], 2.4, metal, bend=False)
        pen.area([(50, 22), (64, 8), (84, 30), (66, 38)], look.colour, "metal")
        pen.oval(75, 34, 12, 4, (255, 246, 200), "ball")
    else:
        pen.turned([(48, 3), (70, 5), (92, 7)], metal, "metal", 46)
        pen.area([(28, 14), (64, 14), (76, 50), (16, 50)], lighter(look.colour, 0.5), "glass", look.pattern)
        pen.oval(46, 50, 30, 4, (255, 246, 210), "ball")


def toilet(pen: Pen, rng: Random, look: Look) -> None:
    white: Rgb = (246, 247, 249)
    pen.slab((56, 8, 88, 52), 4, white, "side")
    pen.slab((54, 6, 90, 13), 3, white, "down")
    pen.oval(72, 6.5, 4, 1.6, STEEL, "metal")
    pen.curve([(14, 52), (26, 74), (30, 94), (78, 94), (84, 70), (86, 50)], white, "tube")
    pen.curve([(8, 48), (18, 40), (46, 37), (66, 42), (70, 50), (50, 57), (22, 56)], white, "ball")
    pen.stroke([(9, 50), (24, 58), (50, 59), (70, 51)], 0.9, (190, 194, 200))
    pen.gleam([(24, 43), (46, 40), (50, 44), (28, 47)], 0.6)
    stamp(pen, look, 72, 32, 10)


def faucet(pen: Pen, rng: Random, look: Look) -> None:
    metal = rng.choice((STEEL, GOLD, (70, 72, 76)))
    pen.stroke([(40, 88), (40, 34), (50, 14), (70, 14), (78, 30), (78, 42)], 8, metal)
    pen.stroke([(38, 88), (38, 34), (48.5, 12.5), (70, 12), (77, 29)], 2, lighter(metal, 0.7))
    pen.turned([(40, 5), (47, 5.4)], darker(metal, 0.2), "metal", 78)
    pen.turned([(84, 12), (93, 14)], metal, "metal", 40)
    pen.stroke([(42, 62), (62, 52)], 4, metal)
    if look.variant % 2:
        pen.area([(76, 48), (80, 48), (82, 92), (74, 92)], (190, 220, 240), "glass", alpha=0.6)

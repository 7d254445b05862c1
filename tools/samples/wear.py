"""Shoes, bags, watches, glasses and jewellery."""

from __future__ import annotations

from random import Random

import numpy as np

from tools.samples.ink import BLACK, GOLD, STEEL, WHITE, Rgb, darker, lighter, mix
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen, ring

LEATHER: tuple[Rgb, ...] = ((40, 32, 30), (92, 56, 34), (140, 88, 50), (30, 34, 44), (120, 34, 38))


def sneaker(pen: Pen, rng: Random, look: Look) -> None:
    _sneaker(pen, rng, look, 0, 0)


def _sneaker(pen: Pen, rng: Random, look: Look, dx: float, dy: float) -> None:
    upper = [(8, 62), (9, 40), (20, 33), (34, 36), (46, 46), (66, 52), (88, 58), (95, 68), (50, 74), (8, 72)]
    pen.curve([(x + dx, y + dy) for x, y in upper], look.colour, "down", look.pattern)
    pen.curve([(x + dx, y + dy) for x, y in ((10, 44), (20, 35), (32, 37), (24, 44))], darker(look.colour, 0.6), "up")
    pen.curve([(x + dx, y + dy) for x, y in ((22, 66), (40, 58), (62, 52), (56, 60), (40, 68))], look.accent, "diag")
    sole = rng.choice((WHITE, darker(look.accent, 0.1), (240, 236, 226)))
    pen.curve(
        [(x + dx, y + dy) for x, y in ((5, 68), (50, 73), (92, 66), (97, 71), (92, 80), (50, 83), (8, 81))],
        sole,
        "down",
    )
    pen.stroke([(7 + dx, 77 + dy), (50 + dx, 79 + dy), (94 + dx, 75 + dy)], 1, darker(sole, 0.25))
    for step in range(5):
        x, y = 35 + step * 5 + dx, 37.5 + step * 3.1 + dy
        pen.stroke([(x, y), (x + 6, y - 3)], 1.3, WHITE)


def heel(pen: Pen, rng: Random, look: Look) -> None:
    tall = rng.uniform(18, 42)
    top = 84 - tall
    pen.area([(8, top + 4), (18, top + 8), (14, 88), (9, 88)], darker(look.colour, 0.2), "tube")
    pen.curve(
        [
            (6, top - 12),
            (14, top - 14),
            (24, top + 2),
            (50, 74),
            (70, 74),
            (90, 82),
            (96, 87),
            (70, 89),
            (44, 86),
            (22, top + 14),
            (7, top + 6),
        ],
        look.colour,
        "glass",
        look.pattern,
    )
    pen.curve(
        [(9, top - 10), (14, top - 11), (28, top + 6), (52, 77), (68, 76), (60, 80), (44, 80), (20, top + 8)],
        (232, 206, 176),
        "down",
    )
    pen.stroke([(20, top + 15), (44, 87.5), (96, 88.5)], 1.4, BLACK)


def oxford(pen: Pen, rng: Random, look: Look) -> None:
    hide = rng.choice(LEATHER)
    pen.curve([(7, 66), (9, 44), (24, 40), (40, 44), (56, 56), (80, 60), (95, 70), (95, 76), (8, 77)], hide, "glass")
    pen.curve([(10, 46), (22, 41), (34, 44), (24, 51)], darker(hide, 0.6))
    pen.stroke([(60, 58), (66, 66), (64, 76)], 0.9, darker(hide, 0.5))
    for step in range(4):
        pen.stroke([(38 + step * 4, 46 + step * 3), (44 + step * 4, 44 + step * 3)], 1.2, BLACK)
    pen.area([(6, 75), (96, 75), (95, 80), (36, 81), (34, 85), (7, 85)], (30, 24, 22), "down")
    pen.gleam([(70, 60), (86, 64), (90, 69), (74, 65)], 0.45)


def boot(pen: Pen, rng: Random, look: Look) -> None:
    hide = rng.choice((*LEATHER, look.colour))
    top = rng.uniform(8, 30)
    pen.area(
        [(18, top), (50, top + 2), (50, 58), (84, 68), (94, 78), (94, 84), (14, 84), (16, 50)],
        hide,
        "tube",
        look.pattern,
    )
    pen.curve([(48, 56), (70, 60), (92, 74), (94, 83), (50, 83)], hide, "ball")
    pen.area([(13, 83), (95, 83), (94, 89), (42, 88), (40, 94), (13, 94)], BLACK, "down")
    pen.stroke([(34, top + 4), (35, 62)], 0.9, GOLD if look.variant % 2 else darker(hide, 0.5))
    pen.oval(34.5, top + 6, 1.6, 2.6, GOLD, "metal")


def handbag(pen: Pen, rng: Random, look: Look) -> None:
    pen.cord([(28, 46), (30, 18), (50, 8), (70, 18), (72, 46)], 3.4, darker(look.colour, 0.25))
    pen.area([(16, 42), (84, 42), (92, 90), (8, 90)], look.colour, "diag", look.pattern)
    pen.curve(
        [(15, 41), (85, 41), (80, 60), (64, 68), (36, 68), (20, 60)], lighter(look.colour, 0.12), "down", look.pattern
    )
    pen.slab((44, 58, 56, 68), 2, GOLD, "metal")
    for x in (28, 72):
        pen.oval(x, 46, 2.6, 2.6, GOLD, "metal")
    pen.stroke([(10, 88), (90, 88)], 0.6, lighter(look.colour, 0.5))
    stamp(pen, look, 50, 78, 22)


def backpack(pen: Pen, rng: Random, look: Look) -> None:
    pen.cord([(42, 14), (44, 4), (56, 4), (58, 14)], 3, darker(look.colour))
    pen.curve(
        [(26, 20), (36, 10), (64, 10), (74, 20), (79, 60), (76, 92), (50, 95), (24, 92), (21, 60)],
        look.colour,
        "tube",
        look.pattern,
    )
    pen.curve([(28, 58), (50, 55), (72, 58), (74, 88), (50, 91), (26, 88)], darker(look.colour, 0.15), "down")
    pen.stroke([(27, 34), (50, 28), (73, 34)], 1.1, BLACK)
    pen.stroke([(30, 63), (50, 61), (70, 63)], 1.1, BLACK)
    pen.stroke([(64, 62), (65, 70)], 1.2, look.accent)
    for side in (-1, 1):
        pen.curve(
            [(50 + side * 26, 60), (50 + side * 33, 64), (50 + side * 32, 88), (50 + side * 25, 90)],
            darker(look.colour, 0.3),
            "tube",
        )
    stamp(pen, look, 50, 44, 20)


def suitcase(pen: Pen, rng: Random, look: Look) -> None:
    pen.stroke([(42, 26), (42, 5), (58, 5), (58, 26)], 1.8, STEEL, bend=False)
    pen.slab((41, 3, 59, 7), 2, BLACK, "down")
    pen.slab((25, 22, 75, 91), 6, look.colour, "metal" if look.variant % 2 else "diag", look.pattern)
    for x in range(32, 72, 8):
        pen.stroke([(x, 25), (x, 88)], 1.2, darker(look.colour, 0.3))
        pen.stroke([(x + 1.3, 25), (x + 1.3, 88)], 0.6, lighter(look.colour, 0.4))
    for x in (31, 69):
        pen.oval(x, 94, 3.6, 4, BLACK, "ball")
    stamp(pen, look, 50, 36, 14)


def clutch(pen: Pen, rng: Random, look: Look) -> None:
    """A man's hand bag or wallet."""
    hide = rng.choice(LEATHER)
    pen.cord([(14, 50), (4, 66), (12, 84), (22, 66)], 3, darker(hide, 0.2))
    pen.area([(12, 32), (88, 26), (93, 74), (16, 82)], hide, "diag", look.pattern)
    pen.stroke([(12, 37), (88, 31)], 2.4, GOLD, bend=False)
    pen.stroke([(14, 34), (89, 28)], 0.5, lighter(hide, 0.5), bend=False)
    pen.stroke([(18, 79), (91, 71)], 0.5, lighter(hide, 0.5), bend=False)
    pen.slab((82, 31, 86, 42), 1, GOLD, "metal")
    stamp(pen, look, 68, 62, 18)


def watch(pen: Pen, rng: Random, look: Look) -> None:
    band = rng.choice((*LEATHER, STEEL, GOLD, look.colour))
    shade = "metal" if band in (STEEL, GOLD) else "tube"
    for top, bottom, near, far in ((2, 30, 10, 13), (70, 98, 13, 10)):
        pen.area([(50 - near, top), (50 + near, top), (50 + far, bottom), (50 - far, bottom)], band, shade)
        for y in range(int(top) + 3, int(bottom), 5):
            pen.stroke([(50 - near, y), (50 + near, y)], 0.7, darker(band, 0.4))
    if look.variant % 4 == 3:
        pen.slab((26, 24, 74, 76), 5, rng.choice((STEEL, GOLD)), "metal")
        pen.slab((30, 28, 70, 72), 3, rng.choice((WHITE, BLACK, look.colour)), "diag")
    else:
        pen.oval(50, 50, 29, 29, rng.choice((STEEL, GOLD, BLACK)), "metal")
        pen.oval(50, 50, 24.5, 24.5, rng.choice((WHITE, BLACK, look.colour, (240, 232, 214))), "ball")
    pen.slab((78, 47, 83, 53), 1, STEEL, "metal")
    _dial(pen, rng, look)


def _dial(pen: Pen, rng: Random, look: Look) -> None:
    inner, outer = ring(50, 50, 18.5, count=12), ring(50, 50, 22, count=12)
    for one, other in zip(inner, outer, strict=True):
        pen.stroke([one, other], 1.1, GOLD)
    if look.variant % 2:
        for cx, cy in ((42, 50), (58, 50), (50, 60)):
            pen.oval(cx, cy, 5, 5, (120, 124, 130), "metal")
    angle = rng.uniform(0, 6.28)
    for long, wide, turn in ((12, 1.6, 0.0), (18, 1.1, 2.1), (20, 0.5, 4.0)):
        tip = (50 + long * float(np.cos(angle + turn)), 50 + long * float(np.sin(angle + turn)))
        pen.stroke([(50, 50), tip], wide, (190, 60, 50) if wide < 1 else STEEL)
    stamp(pen, look, 50, 41, 11)


def glasses(pen: Pen, rng: Random, look: Look, clear: bool = False) -> None:
    frame = rng.choice((BLACK, GOLD, STEEL, (96, 60, 36), look.colour))
    lens = (214, 224, 230) if clear else rng.choice((look.colour, (40, 44, 50), (90, 60, 40), (50, 90, 140)))
    tall = rng.uniform(12, 18)
    for cx in (28, 72):
        side = -1 if cx < 50 else 1
        pen.stroke([(cx + side * 20, 44), (cx + side * 26, 40), (cx + side * 17, 30)], 2, darker(frame, 0.2))
        rim = [
            (cx - 20, 42),
            (cx, 38 - tall * 0.1),
            (cx + 20, 42),
            (cx + 17, 46 + tall),
            (cx, 50 + tall),
            (cx - 17, 46 + tall),
        ]
        pen.curve(rim, frame, "metal")
        inside = [((x - cx) * 0.88 + cx, (y - 50) * 0.87 + 50) for x, y in rim]
        pen.curve(inside, lens, "diag", alpha=0.55 if clear else 1)
        pen.gleam([(cx - 10, 44), (cx - 2, 44), (cx - 10, 56), (cx - 14, 54)], 0.35)
    pen.stroke([(47, 45), (50, 43), (53, 45)], 2.4, frame)


def spectacles(pen: Pen, rng: Random, look: Look) -> None:
    glasses(pen, rng, look, clear=True)


def necklace(pen: Pen, rng: Random, look: Look) -> None:
    metal = rng.choice((GOLD, STEEL, (226, 176, 156)))
    for side in (-1, 1):
        chain = [(50 + side * 34 * (1 - (t / 20) ** 1.8), 8 + t * 2.9) for t in range(21)]
        for x, y in chain:
            pen.oval(x, y, 1, 1.2, metal, "ball")
    gem = mix(look.colour, look.accent, 0.3)
    if look.variant % 3 == 0:
        pen.curve([(50, 86), (38, 74), (40, 66), (50, 70), (60, 66), (62, 74)], gem, "ball")
    else:
        pen.area(ring(50, 76, 10, count=7), metal, "metal")
        pen.area(ring(50, 76, 7.5, count=7), gem, "glass")
    pen.gleam([(46, 70), (50, 70), (47, 76)], 0.8)


def jewel_ring(pen: Pen, rng: Random, look: Look) -> None:
    metal = rng.choice((GOLD, STEEL, (226, 176, 156)))
    band = [*ring(50, 64, 28, 26), (78, 64)]
    pen.stroke(band, 6, metal)
    pen.stroke([(x - 0.8, y - 1) for x, y in band], 1.6, lighter(metal, 0.7))
    pen.area([(36, 26), (64, 26), (70, 34), (50, 48), (30, 34)], mix(look.colour, WHITE, 0.6), "glass")
    for x in (40, 50, 60):
        pen.stroke([(x, 34), (50, 48)], 0.6, WHITE)
    pen.stroke([(30, 34), (70, 34)], 0.7, WHITE)
    pen.gleam([(38, 27), (46, 27), (42, 33)], 0.9)


def bracelet(pen: Pen, rng: Random, look: Look) -> None:
    flat = rng.uniform(0.5, 0.9)
    for number, (x, y) in enumerate(ring(50, 52, 36, 36 * flat, 24)):
        tone = GOLD if number % 6 == 0 else (look.colour if number % 2 else mix(look.colour, look.accent, 0.4))
        pen.oval(x, y, 4.7, 4.7, tone, "ball")
        pen.gleam([(x - 2, y - 3), (x, y - 3), (x - 2, y - 1)], 0.7)

"""Toys, things for babies, sport and the open air."""

from __future__ import annotations

from random import Random

from tools.samples.ink import BLACK, GOLD, STEEL, WHITE, darker, hue, lighter
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen, ring


def bear(pen: Pen, rng: Random, look: Look) -> None:
    fur = rng.choice((look.colour, (196, 150, 104), (240, 226, 206), (236, 170, 186)))
    for side in (-1, 1):
        pen.oval(50 + side * 16, 88, 13, 9, darker(fur, 0.1), "ball")
        pen.oval(50 + side * 25, 62, 8, 14, darker(fur, 0.08), "ball")
        pen.oval(50 + side * 18, 12, 8, 8, fur, "ball")
        pen.oval(50 + side * 18, 12, 4.5, 4.5, lighter(fur, 0.4), "ball")
    pen.oval(50, 70, 24, 23, fur, "ball")
    pen.oval(50, 73, 14, 14, lighter(fur, 0.45), "ball")
    pen.oval(50, 31, 25, 22, fur, "ball")
    pen.oval(50, 39, 10, 8, lighter(fur, 0.5), "ball")
    pen.oval(50, 35, 3.4, 2.5, BLACK, "ball")
    for side in (-10, 10):
        pen.oval(50 + side, 28, 2.4, 2.8, BLACK, "ball")
    pen.area([(38, 50), (50, 54), (62, 50), (60, 58), (50, 55), (40, 58)], look.accent, "ball")


def car_seat(pen: Pen, rng: Random, look: Look) -> None:
    dark = (46, 48, 54)
    pen.curve([(28, 6), (50, 2), (72, 6), (78, 30), (84, 60), (80, 92), (20, 92), (16, 60), (22, 30)], dark, "tube")
    pen.curve([(32, 10), (50, 6), (68, 10), (70, 34), (50, 38), (30, 34)], look.colour, "ball", look.pattern)
    pen.curve([(28, 36), (50, 40), (72, 36), (74, 68), (50, 72), (26, 68)], look.colour, "diag", look.pattern)
    pen.curve(
        [(22, 68), (50, 72), (78, 68), (80, 86), (50, 93), (20, 86)], darker(look.colour, 0.15), "ball", look.pattern
    )
    for side in (-1, 1):
        pen.stroke([(50 + side * 9, 34), (50 + side * 8, 58), (50 + side * 2, 74)], 4, (30, 32, 36))
        pen.curve(
            [(50 + side * 27, 40), (50 + side * 36, 50), (50 + side * 36, 68), (50 + side * 27, 72)],
            look.accent,
            "ball",
        )
    pen.slab((45, 70, 55, 80), 2, (200, 40, 40), "down")
    stamp(pen, look, 50, 20, 16)


def stroller(pen: Pen, rng: Random, look: Look) -> None:
    frame = rng.choice((STEEL, BLACK, GOLD))
    pen.stroke([(86, 18), (74, 24), (36, 84)], 3, frame, bend=False)
    pen.stroke([(30, 50), (70, 84)], 3, frame)
    pen.curve([(20, 44), (28, 20), (50, 10), (62, 24), (66, 44)], look.colour, "ball", look.pattern)
    pen.curve([(22, 46), (66, 44), (62, 66), (30, 70)], darker(look.colour, 0.2), "diag", look.pattern)
    pen.stroke([(20, 46), (66, 44)], 2.4, look.accent)
    for x, r in ((34, 10), (72, 11)):
        pen.oval(x, 85, r, r, BLACK, "ball")
        pen.oval(x, 85, r * 0.65, r * 0.65, STEEL, "metal")
        pen.oval(x, 85, r * 0.25, r * 0.25, look.accent, "ball")


def hoverboard(pen: Pen, rng: Random, look: Look) -> None:
    for x in (11, 89):
        pen.oval(x, 56, 10, 22, BLACK, "ball")
        pen.oval(x, 56, 5, 12, STEEL, "metal")
    pen.curve(
        [
            (14, 40),
            (34, 36),
            (48, 48),
            (52, 48),
            (66, 36),
            (86, 40),
            (88, 62),
            (66, 66),
            (52, 58),
            (48, 58),
            (34, 66),
            (12, 62),
        ],
        look.colour,
        "down",
        look.pattern,
    )
    for x in (30, 70):
        pen.curve([(x - 13, 43), (x + 11, 42), (x + 9, 52), (x - 12, 53)], (34, 36, 40), "diag")
        pen.oval(x, 61, 4, 1.5, (90, 190, 255), "ball")
    stamp(pen, look, 50, 53, 7)


def bicycle(pen: Pen, rng: Random, look: Look) -> None:
    for x in (22, 78):
        for spot in ring(x, 68, 18, count=14):
            pen.stroke([(x, 68), spot], 0.35, STEEL)
        pen.stroke([*ring(x, 68, 19), (x + 19, 68)], 2.6, BLACK)
    for line in (
        ((22, 68), (40, 40)),
        ((40, 40), (70, 38)),
        ((70, 38), (48, 70)),
        ((48, 70), (22, 68)),
        ((40, 40), (48, 70)),
        ((70, 38), (78, 68)),
    ):
        pen.stroke(line, 2.6, look.colour)
    pen.stroke([(70, 38), (68, 26), (76, 24), (80, 28)], 2.2, STEEL)
    pen.curve([(30, 32), (44, 31), (46, 34), (36, 37)], BLACK, "ball")
    pen.stroke([(40, 40), (38, 34)], 2.2, STEEL)
    pen.oval(48, 70, 5, 5, STEEL, "metal")


def dumbbell(pen: Pen, rng: Random, look: Look) -> None:
    for dy in (0, 34):
        pen.slab((30, 33 + dy, 70, 40 + dy), 2, STEEL, "band")
        for x in (16, 66):
            pen.area(
                [
                    (x, 26 + dy),
                    (x + 4, 20 + dy),
                    (x + 14, 20 + dy),
                    (x + 18, 26 + dy),
                    (x + 18, 47 + dy),
                    (x + 14, 53 + dy),
                    (x + 4, 53 + dy),
                    (x, 47 + dy),
                ],
                look.colour,
                "down",
            )
        stamp(pen, look, 25, 37 + dy, 13)


def yoga_mat(pen: Pen, rng: Random, look: Look) -> None:
    pen.area([(28, 62), (94, 50), (96, 58), (30, 78)], lighter(look.colour, 0.2), "diag", look.pattern)
    pen.slab((10, 52, 44, 84), 15, look.colour, "down", look.pattern)
    pen.oval(22, 68, 12, 16, darker(look.colour, 0.2), "ball")
    for r in (9, 6, 3):
        pen.stroke([*ring(22, 68, r, r * 1.3), (22 + r, 68)], 0.9, lighter(look.colour, 0.4))
    pen.stroke([(36, 53), (40, 68), (36, 84)], 2, look.accent)
    stamp(pen, look, 72, 60, 18)


def tent(pen: Pen, rng: Random, look: Look) -> None:
    pen.area([(6, 84), (40, 22), (66, 82)], look.colour, "diag", look.pattern)
    pen.area([(40, 22), (72, 28), (96, 76), (66, 84)], darker(look.colour, 0.25), "side", look.pattern)
    pen.area([(26, 83), (39, 42), (50, 82)], (44, 46, 50), "up")
    pen.area([(39, 42), (44, 44), (58, 82), (50, 82)], look.accent, "down")
    for foot in ((2, 88), (98, 80)):
        pen.stroke([(40, 22), foot], 0.5, WHITE)
    stamp(pen, look, 74, 52, 12)


def racket(pen: Pen, rng: Random, look: Look) -> None:
    """Two rackets crossed, a shuttlecock."""
    for side in (-1, 1):
        cx = 50 - side * 20
        for step in range(-3, 4):
            pen.stroke([(cx + step * 4, 12 + abs(step) * 2), (cx + step * 4, 48 - abs(step) * 2)], 0.3, WHITE)
        pen.stroke([*ring(cx, 30, 16, 21), (cx + 16, 30)], 2, look.colour if side > 0 else look.accent)
        pen.stroke([(cx + side * 4, 50), (50 + side * 22, 94)], 2.4, BLACK)
    pen.area([(44, 70), (56, 70), (53, 84), (47, 84)], WHITE, "fold")
    pen.oval(50, 86, 3.4, 3, hue(rng, (0.5, 0.8), (0.6, 0.9)), "ball")


def blocks(pen: Pen, rng: Random, look: Look) -> None:
    """A heap of building blocks."""
    for row in range(4):
        for column in range(5 - row):
            tone = hue(rng, (0.6, 0.9), (0.75, 1))
            x, y = 10 + row * 8 + column * 16, 74 - row * 17
            pen.slab((x, y, x + 15, y + 16), 1, tone, "diag")
            for knob in (4, 11):
                pen.oval(x + knob, y, 2.5, 1.6, lighter(tone, 0.2), "ball")

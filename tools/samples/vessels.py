"""Bottles, jars, tubes, cups and pots."""

from __future__ import annotations

from random import Random

from tools.samples.ink import BLACK, GOLD, STEEL, WHITE, Rgb, darker, lighter
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen


def _label(pen: Pen, look: Look, box: tuple[float, float, float, float], tone: Rgb) -> None:
    pen.slab(box, 1, tone, "tube", alpha=0.9)
    middle, width = (box[0] + box[2]) / 2, box[2] - box[0]
    stamp(pen, look, middle, box[1] + (box[3] - box[1]) * 0.3, width * 0.74)
    for line in range(3):
        y = box[1] + (box[3] - box[1]) * (0.56 + 0.13 * line)
        pen.stroke(
            [(middle - width * (0.3 - line * 0.06), y), (middle + width * (0.3 - line * 0.06), y)], 0.7, look.accent
        )


def pump(pen: Pen, rng: Random, look: Look) -> None:
    """A shampoo or shower bottle with a pump."""
    wide, neck = rng.uniform(15, 22), rng.uniform(30, 36)
    cap = rng.choice((look.accent, WHITE, BLACK, GOLD))
    pen.area([(36, 9), (55, 9), (55, 13), (40, 14), (36, 17)], cap, "down")
    pen.slab((48, 9, 53, 24), 1, cap, "tube")
    pen.slab((43, 22, 57, neck), 2, cap, "tube")
    shoulder = wide * rng.uniform(0.55, 0.95)
    pen.turned(
        [(neck, 7), (neck + 3, shoulder), (neck + 12, wide), (70, wide * rng.uniform(0.9, 1)), (95, wide * 0.92)],
        look.colour,
        "tube",
        pattern=look.pattern,
    )
    _label(pen, look, (50 - wide * 0.75, 50, 50 + wide * 0.75, 82), lighter(look.colour, rng.choice((0.1, 0.5, 0.85))))


def dropper(pen: Pen, rng: Random, look: Look) -> None:
    """A serum bottle with a dropper or a plain tall cap."""
    wide = rng.uniform(13, 18)
    cap = rng.choice((GOLD, STEEL, BLACK, WHITE))
    if look.variant % 2:
        pen.turned([(8, 3), (12, 5), (20, 5), (22, 6)], darker(look.accent), "tube")
    pen.turned([(20, 7.5), (36, 7.5)], cap, "metal")
    glass = "glass" if rng.random() < 0.6 else "tube"
    pen.turned([(36, 7), (40, wide * 0.9), (46, wide), (92, wide)], look.colour, glass, pattern=look.pattern)
    _label(pen, look, (50 - wide * 0.8, 54, 50 + wide * 0.8, 82), lighter(look.colour, rng.choice((0.05, 0.6, 0.9))))


def jar(pen: Pen, rng: Random, look: Look) -> None:
    """A cream jar, its lid on."""
    wide, top = rng.uniform(30, 38), rng.uniform(34, 42)
    pen.turned(
        [(top + 16, wide * 0.94), (top + 22, wide), (82, wide * 0.93)],
        look.colour,
        rng.choice(("tube", "glass")),
        pattern=look.pattern,
    )
    pen.turned([(top, wide * 0.94), (top + 17, wide * 0.97)], rng.choice((GOLD, STEEL, WHITE, look.accent)), "metal")
    pen.oval(50, top, wide * 0.94, wide * 0.13, lighter(look.accent, 0.5), "diag")
    stamp(pen, look, 50, top + 34, wide * 1.0)


def tube(pen: Pen, rng: Random, look: Look) -> None:
    """A squeeze tube standing on its cap."""
    wide = rng.uniform(13, 18)
    pen.area(
        [(50 - wide, 8), (50 + wide, 8), (50 + wide * 0.8, 80), (50 - wide * 0.8, 80)],
        look.colour,
        "tube",
        look.pattern,
    )
    pen.slab((50 - wide, 6, 50 + wide, 11), 0.5, darker(look.colour, 0.1), "tube")
    pen.turned([(80, wide * 0.72), (94, wide * 0.78)], rng.choice((WHITE, look.accent, GOLD)), "tube")
    stamp(pen, look, 50, 30, wide * 1.3)
    pen.slab((50 - wide * 0.5, 42, 50 + wide * 0.5, 60), 1, lighter(look.colour, 0.6), "tube", alpha=0.7)


def lipstick(pen: Pen, rng: Random, look: Look) -> None:
    """A lipstick, its cap beside it."""
    case = rng.choice((BLACK, GOLD, STEEL, (150, 30, 50)))
    red: Rgb = (rng.randint(160, 220), rng.randint(20, 80), rng.randint(40, 90))
    pen.turned([(52, 10), (94, 10)], case, "metal", 36)
    pen.turned([(40, 8), (53, 8)], GOLD, "metal", 36)
    pen.area([(29, 41), (29, 22), (34, 12), (43, 20), (43, 41)], red, "tube")
    pen.turned([(50, 11), (94, 11)], case, "metal", 66)
    stamp(pen, look, 66, 74, 18)


def perfume(pen: Pen, rng: Random, look: Look) -> None:
    """A perfume flacon of thick glass."""
    wide = rng.uniform(20, 27)
    pen.turned([(12, 9), (28, 9)], rng.choice((GOLD, BLACK, STEEL)), "metal")
    pen.slab((45, 28, 55, 34), 1, STEEL, "metal")
    if look.variant % 3 == 0:
        pen.oval(50, 63, wide * 1.1, 30, lighter(look.colour, 0.5), "glass", 0.9)
        pen.oval(50, 65, wide * 0.85, 22, look.colour, "ball", 0.85)
    else:
        pen.slab((50 - wide, 34, 50 + wide, 93), 6, lighter(look.colour, 0.6), "glass", alpha=0.92)
        pen.slab((53 - wide, 42, 47 + wide, 88), 4, look.colour, "diag", alpha=0.8)
    stamp(pen, look, 50, 64, wide * 1.3)
    pen.gleam([(54 - wide, 44), (58 - wide, 44), (56 - wide, 86), (53 - wide, 86)], 0.6)


def cushion(pen: Pen, rng: Random, look: Look) -> None:
    """An open powder compact."""
    shell = rng.choice((look.colour, BLACK, WHITE, GOLD))
    pen.oval(46, 32, 30, 26, shell, "metal")
    pen.oval(46, 33, 25, 21, (214, 226, 232), "diag")
    pen.oval(52, 72, 35, 20, darker(shell, 0.3), "tube")
    pen.oval(52, 68, 35, 20, shell, "metal")
    pen.oval(52, 67, 27, 14.5, (232, 196, 164), "ball")
    pen.oval(60, 66, 12, 6, (250, 232, 220), "ball")


def wine(pen: Pen, rng: Random, look: Look) -> None:
    """A wine bottle."""
    glass: Rgb = rng.choice(((34, 48, 30), (50, 20, 26), (28, 30, 34), (96, 110, 60)))
    pen.turned([(6, 4.2), (26, 4.6), (34, 5.5), (42, 12.5), (50, 13.5), (95, 13.5)], glass, "glass")
    pen.turned([(5, 4.8), (24, 5)], rng.choice((GOLD, (130, 20, 34), BLACK)), "metal")
    _label(pen, look, (37, 55, 63, 84), rng.choice((WHITE, (240, 230, 206), BLACK, look.colour)))


def carton(pen: Pen, rng: Random, look: Look) -> None:
    """A gable carton of milk."""
    pen.area([(28, 32), (40, 14), (72, 14), (64, 32)], lighter(look.colour, 0.7), "down")
    pen.area([(64, 32), (72, 14), (80, 30)], darker(look.colour, 0.2), "flat")
    pen.slab((38, 8, 74, 15), 1, WHITE, "down")
    pen.area([(28, 32), (64, 32), (64, 94), (28, 94)], look.colour, "side", look.pattern)
    pen.area([(64, 32), (80, 29), (80, 88), (64, 94)], darker(look.colour, 0.3), "side")
    pen.curve([(28, 70), (40, 64), (52, 72), (64, 66), (64, 94), (28, 94)], WHITE, "down", alpha=0.9)
    stamp(pen, look, 46, 48, 30)


def bottle(pen: Pen, rng: Random, look: Look) -> None:
    """A baby's bottle."""
    pen.turned([(6, 3), (12, 4.5), (18, 9), (21, 10)], (236, 206, 170), "glass")
    pen.turned([(20, 14), (31, 14)], look.colour, "tube")
    body = lighter(look.colour, 0.8)
    pen.turned([(31, 13), (38, 17), (60, 15), (76, 17), (94, 16)], body, "glass", alpha=0.88)
    for tick in range(6):
        pen.stroke([(52, 48 + tick * 7), (58 + tick % 2 * 3, 48 + tick * 7)], 0.7, look.colour)
    pen.stroke([(31, 42), (22, 50), (23, 72), (33, 80)], 4, look.accent)


def flask(pen: Pen, rng: Random, look: Look) -> None:
    """A vacuum flask or cup."""
    wide = rng.uniform(12, 17)
    pen.turned([(8, wide * 0.8), (12, wide), (24, wide)], rng.choice((BLACK, STEEL, look.accent)), "metal")
    pen.turned(
        [(24, wide * 0.94), (28, wide * 1.02), (88, wide), (94, wide * 0.9)], look.colour, "tube", pattern=look.pattern
    )
    pen.turned([(90, wide * 0.98), (95, wide * 0.92)], STEEL, "metal")
    if look.variant % 3 == 1:
        pen.cord([(50 + wide, 34), (66 + wide, 42), (64 + wide, 68), (50 + wide, 74)], 4, look.accent)
    stamp(pen, look, 50, 58, wide * 1.4)


def kettle(pen: Pen, rng: Random, look: Look) -> None:
    """An electric kettle."""
    body = rng.choice((STEEL, look.colour, WHITE, BLACK))
    handle = rng.choice((BLACK, look.accent))
    pen.cord([(64, 24), (86, 24), (88, 52), (76, 82)], 6, handle)
    pen.area([(36, 32), (18, 30), (30, 52)], body, "metal")
    pen.turned([(26, 17), (36, 20), (60, 24), (84, 26)], body, "metal")
    pen.turned([(20, 9), (27, 17)], handle, "tube")
    pen.turned([(86, 28), (94, 30)], BLACK, "tube")
    stamp(pen, look, 50, 60, 20)


def wok(pen: Pen, rng: Random, look: Look) -> None:
    """A frying pan with a glass lid or without."""
    pen.area([(66, 56), (97, 38), (99, 43), (70, 63)], rng.choice((BLACK, (120, 78, 44))), "down")
    pen.curve([(6, 56), (12, 70), (26, 82), (52, 82), (68, 72), (76, 56)], look.colour, "tube")
    pen.oval(41, 56, 35, 11, STEEL, "metal")
    pen.oval(41, 56.5, 33, 9.5, darker(look.colour, 0.5), "ball")
    if look.variant % 2:
        pen.curve([(8, 55), (18, 38), (41, 32), (64, 38), (74, 55), (41, 62)], (210, 222, 228), "glass", alpha=0.6)
        pen.turned([(24, 4), (32, 3)], BLACK, "tube", 41)

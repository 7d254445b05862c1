"""Clothes, laid flat or worn by a figure cut off at the head."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tools.samples.ink import BLACK, GOLD, SKIN, WHITE, Rgb, darker, lighter
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen, Point, mirrored


def _body(pen: Pen, look: Look, half: Sequence[Point], tone: Rgb | None = None) -> None:
    """A symmetric piece with folds, its pattern and its edge."""
    outline = mirrored(half)
    pen.area([(x + 0.6, y + 0.8) for x, y in outline], darker(look.colour, 0.5))
    pen.area(outline, tone or look.colour, "fold", look.pattern)


def _sleeves(pen: Pen, look: Look, length: float, wide: float = 9, flare: float = 1) -> None:
    for side in (-1, 1):
        x = 50 + side * 20
        end = 50 + side * (22 + length * 0.28)
        hem = 22 + length
        pen.curve(
            [
                (x - side * 3, 17),
                (x + side * 5, 20),
                (end + side * wide * 0.4 * flare, hem),
                (end - side * wide * 0.6 * flare, hem + 2),
                (x - side * 4, 38),
            ],
            darker(look.colour, 0.08),
            "side" if side > 0 else "fold",
            look.pattern,
        )


def _neck(pen: Pen, look: Look, deep: float, wide: float = 8) -> None:
    pen.curve(
        [
            (50 - wide, 13),
            (50, 10.5),
            (50 + wide, 13),
            (50 + wide * 0.5, 14 + deep),
            (50, 15.5 + deep),
            (50 - wide * 0.5, 14 + deep),
        ],
        darker(look.colour, 0.55),
        "up",
    )


def _folds(pen: Pen, look: Look, rng: Random, top: float, bottom: float) -> None:
    tone = darker(look.colour, 0.18)
    for _ in range(5):
        x = rng.uniform(36, 64)
        pen.stroke([(x, bottom), (x + rng.uniform(-3, 3), (top + bottom) / 2 + rng.uniform(-5, 12))], 0.6, tone)


_TRUNK = [(41, 13), (31, 17), (33, 38), (33, 60)]


def tee(pen: Pen, rng: Random, look: Look) -> None:
    hem = rng.uniform(70, 84)
    _sleeves(pen, look, rng.uniform(14, 24), 12)
    _body(pen, look, [*_TRUNK, (32, hem)])
    _folds(pen, look, rng, 50, hem - 1)
    _neck(pen, look, rng.uniform(3, 8))
    _chest(pen, rng, look)


def _chest(pen: Pen, rng: Random, look: Look) -> None:
    """A print on the chest: a mark, a picture, or nothing."""
    kind = look.variant % 4
    if kind == 0:
        stamp(pen, look, 50, 36, 22)
    elif kind == 1:
        pen.curve([(42 + rng.uniform(-2, 2), 30), (58, 28), (60, 44), (50, 52), (40, 44)], look.accent, "ball")
        pen.oval(50, 39, 5, 5, lighter(look.accent, 0.6), "ball")
    elif kind == 2:
        pen.slab((39, 28, 61, 50), 1, look.accent, "diag")
        stamp(pen, look, 50, 39, 16)


def sweater(pen: Pen, rng: Random, look: Look) -> None:
    hem = rng.uniform(74, 86)
    _sleeves(pen, look, rng.uniform(46, 58), 9)
    _body(pen, look, [*_TRUNK, (31, hem)])
    pen.slab((31.5, hem - 5, 68.5, hem), 1, darker(look.colour, 0.2), "fold")
    _neck(pen, look, 2)
    pen.stroke([(41, 14), (44, 18), (50, 19.5), (56, 18), (59, 14)], 2.6, darker(look.colour, 0.15))
    if look.variant % 2:
        pen.stroke([(50, 19), (50, hem)], 1, darker(look.colour, 0.4))
        for y in range(26, int(hem) - 6, 9):
            pen.oval(51.5, y, 1.3, 1.3, GOLD, "ball")


def hoodie(pen: Pen, rng: Random, look: Look) -> None:
    _sleeves(pen, look, 54, 11)
    _body(pen, look, [*_TRUNK, (31, 80)])
    pen.curve(
        [(35, 19), (38, 8), (50, 4), (62, 8), (65, 19), (56, 24), (50, 27), (44, 24)], darker(look.colour, 0.12), "fold"
    )
    pen.curve([(42, 17), (45, 10), (55, 10), (58, 17), (50, 22)], darker(look.colour, 0.6), "up")
    pen.area([(40, 60), (60, 60), (65, 74), (35, 74)], darker(look.colour, 0.12), "down")
    for x in (46, 54):
        pen.stroke([(x, 23), (x + (x - 50) * 0.2, 38)], 0.9, WHITE)
    pen.slab((31, 76, 69, 81), 1, darker(look.colour, 0.2), "fold")
    stamp(pen, look, 50, 46, 24)


def shirt(pen: Pen, rng: Random, look: Look) -> None:
    _sleeves(pen, look, 54 if look.variant % 3 else 20, 9)
    _body(pen, look, [*_TRUNK, (33, 84), (45, 87)])
    _neck(pen, look, 5, 7)
    for side in (-1, 1):
        pen.area(
            [(50, 20), (50 + side * 8, 12), (50 + side * 11, 15), (50 + side * 7, 24)],
            lighter(look.colour, 0.15),
            "down",
        )
    pen.stroke([(50, 20), (50, 86)], 0.8, darker(look.colour, 0.35))
    for y in range(26, 84, 10):
        pen.oval(50.8, y, 0.9, 0.9, lighter(look.accent, 0.5), "ball")
    pen.slab((56, 34, 65, 45), 1, darker(look.colour, 0.06), "down")


def blouse(pen: Pen, rng: Random, look: Look) -> None:
    _sleeves(pen, look, 44, 9, 1.6)
    _body(pen, look, [(43, 13), (32, 17), (35, 38), (34, 58), (29, 80)])
    _neck(pen, look, 12, 6)
    for side in (-1, 1):
        pen.curve(
            [(50, 26), (50 + side * 9, 22), (50 + side * 11, 29), (50 + side * 3, 31)],
            lighter(look.colour, 0.25),
            "ball",
        )
        pen.stroke([(50, 28), (50 + side * 3, 46)], 1.4, lighter(look.colour, 0.1))
    _folds(pen, look, rng, 44, 79)


def jacket(pen: Pen, rng: Random, look: Look) -> None:
    _sleeves(pen, look, 54, 10)
    _body(pen, look, [(42, 12), (29, 17), (32, 40), (31, 78)])
    pen.area([(44, 13), (56, 13), (54, 78), (46, 78)], rng.choice((WHITE, BLACK, look.accent)), "fold")
    for side in (-1, 1):
        pen.area(
            [
                (50 + side * 5, 11),
                (50 + side * 12, 14),
                (50 + side * 9, 30),
                (50 + side * 4, 78),
                (50 + side * 2.5, 78),
            ],
            darker(look.colour, 0.15),
            "side",
        )
        pen.area(
            [(50 + side * 9, 54), (50 + side * 16, 52), (50 + side * 16, 55), (50 + side * 9, 57)],
            darker(look.colour, 0.4),
        )
    pen.slab((30, 75, 70, 80), 1, darker(look.colour, 0.25), "fold")
    stamp(pen, look, 61, 32, 8)


def suit(pen: Pen, rng: Random, look: Look) -> None:
    dark = darker(look.colour, 0.55)
    _sleeves(pen, look.__class__(dark, look.accent, look.pattern), 56, 9)
    pen.area([(42, 12), (58, 12), (56, 58), (44, 58)], WHITE, "fold")
    pen.area([(48, 17), (52, 17), (53.5, 50), (50, 56), (46.5, 50)], look.accent, "down")
    for side in (-1, 1):
        pen.area(
            [
                (50 + side * 8, 12),
                (50 + side * 20, 17),
                (50 + side * 17, 46),
                (50 + side * 20, 88),
                (50 + side * 3, 90),
                (50, 56),
            ],
            dark,
            "fold",
            look.pattern,
        )
        pen.area(
            [
                (50 + side * 7, 12),
                (50 + side * 12, 24),
                (50 + side * 9, 29),
                (50 + side * 11, 32),
                (50, 57),
                (50 + side * 5, 30),
            ],
            darker(dark, 0.35),
            "diag",
        )
    pen.oval(51, 62, 1.2, 1.2, GOLD, "ball")
    pen.slab((60, 36, 67, 38), 0.4, lighter(dark, 0.4))


def down_coat(pen: Pen, rng: Random, look: Look) -> None:
    hem = rng.uniform(74, 94)
    _sleeves(pen, look, 54, 13)
    _body(pen, look, [(42, 12), (28, 18), (30, 40), (29, hem)])
    for y in range(24, int(hem), 9):
        pen.stroke([(29.5, y), (50, y + 2), (70.5, y)], 0.9, darker(look.colour, 0.35))
        pen.stroke([(30, y - 2.4), (50, y - 0.6), (70, y - 2.4)], 0.9, lighter(look.colour, 0.3))
    pen.stroke([(50, 16), (50, hem)], 1.4, darker(look.colour, 0.6))
    pen.curve(
        [(36, 17), (40, 8), (60, 8), (64, 17), (50, 23)],
        rng.choice((look.accent, (210, 190, 160), darker(look.colour))),
        "ball",
    )
    stamp(pen, look, 62, 36, 9)


def coat(pen: Pen, rng: Random, look: Look) -> None:
    _sleeves(pen, look, 56, 10)
    _body(pen, look, [(43, 11), (31, 16), (35, 44), (30, 95)])
    for side in (-1, 1):
        pen.area(
            [(50 + side * 4, 11), (50 + side * 13, 15), (50 + side * 13, 32), (50, 44)],
            lighter(look.colour, 0.12),
            "side",
        )
    pen.stroke([(52, 42), (52, 94)], 0.8, darker(look.colour, 0.4))
    for y in (48, 60, 72):
        pen.oval(46, y, 1.6, 1.6, BLACK, "ball")
        pen.oval(56, y, 1.6, 1.6, BLACK, "ball")
    if look.variant % 2:
        pen.slab((33, 50, 67, 55), 1, darker(look.colour, 0.3), "down")


def dress(pen: Pen, rng: Random, look: Look) -> None:
    flare = rng.uniform(14, 30)
    if look.variant % 3:
        _sleeves(pen, look, rng.choice((12, 22, 44)), 9, 1.4)
    _body(pen, look, [(41, 10), (36, 16), (37, 30), (40, 42), (50 - flare * 0.8, 70), (50 - flare, 94)])
    _neck(pen, look, rng.uniform(3, 12), 8)
    for share in (-0.6, -0.2, 0.25, 0.65):
        pen.stroke([(50 + share * 14, 46), (50 + share * flare, 93)], 0.7, darker(look.colour, 0.22))
    pen.slab((39.5, 41, 60.5, 45), 1, look.accent if look.variant % 2 else darker(look.colour, 0.2), "tube")


def skirt(pen: Pen, rng: Random, look: Look) -> None:
    flare = rng.uniform(20, 40)
    _body(pen, look, [(36, 14), (32, 30), (50 - flare, 88)])
    for step in range(-4, 5):
        pen.stroke([(50 + step * 3, 20), (50 + step * flare / 4.6, 87)], 0.6, darker(look.colour, 0.25))
    pen.slab((35.5, 12, 64.5, 19), 1, darker(look.colour, 0.25), "tube")


def trousers(pen: Pen, rng: Random, look: Look) -> None:
    hem = rng.uniform(7, 13)
    for side in (-1, 1):
        pen.area(
            [
                (50, 10),
                (50 + side * 17, 10),
                (50 + side * 20, 36),
                (50 + side * (13 + hem), 94),
                (50 + side * 12, 94),
                (50 + side * 1, 40),
            ],
            look.colour,
            "fold",
            look.pattern,
        )
        pen.stroke([(50 + side * 16, 17), (50 + side * 10, 26)], 0.8, darker(look.colour, 0.4))
    pen.slab((33, 8, 67, 14), 1, darker(look.colour, 0.2), "fold")
    pen.stroke([(50, 13), (50, 34)], 0.9, darker(look.colour, 0.4))
    pen.oval(50, 11, 1.4, 1.4, GOLD, "ball")


def figure(pen: Pen, rng: Random, long: bool) -> None:
    """A person for clothes to be put on: head, neck, arms, legs."""
    skin, hair = rng.choice(SKIN), rng.choice(((36, 26, 24), (84, 54, 36), (20, 20, 22)))
    for side in (-1, 1):
        pen.curve(
            [
                (50 + side * 18, 20),
                (50 + side * 24, 24),
                (50 + side * (34 if long else 30), 80),
                (50 + side * 31, 84),
                (50 + side * 27, 78),
                (50 + side * 19, 40),
            ],
            skin,
            "tube",
        )
    if rng.random() < 0.6:
        for side in (-1, 1):
            pen.area(
                [(50 + side * 1, 60), (50 + side * 15, 60), (50 + side * 11, 100), (50 + side * 3, 100)],
                rng.choice((skin, (50, 60, 90), BLACK)),
                "tube",
            )
    pen.area([(44, 4), (56, 4), (58, 16), (42, 16)], darker(skin, 0.1), "tube")
    pen.curve([(40, -12), (60, -12), (61, 0), (55, 8), (50, 10), (45, 8), (39, 0)], skin, "ball")
    if long:
        for side in (-1, 1):
            pen.curve(
                [(50 + side * 11, -6), (50 + side * 13, 8), (50 + side * 11, 22), (50 + side * 8, 8)], hair, "fold"
            )
    pen.curve([(46, 4.2), (50, 3.6), (54, 4.2), (50, 6)], (196, 80, 84))

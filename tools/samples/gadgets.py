"""Telephones, computers and what is plugged into them."""

from __future__ import annotations

from random import Random

from PIL import Image

from tools.samples.ink import BLACK, STEEL, WHITE, Rgb, darker, gradient, hue, lighter
from tools.samples.look import Look, stamp
from tools.samples.pen import Pen, rounded


def wallpaper(rng: Random, side: int) -> Image.Image:
    """What a screen shows: a gradient and petals of light."""
    colours = [hue(rng, (0.5, 1), (0.15, 0.6)), hue(rng, (0.4, 1), (0.5, 1)), hue(rng, (0.5, 1), (0.3, 0.9))]
    pen = Pen(side / 100)
    for turn in range(rng.randint(2, 6)):
        x, y = rng.uniform(5, 60), rng.uniform(5, 60)
        tone = hue(rng, (0.3, 0.9), (0.6, 1))
        pen.curve(
            [
                (x, y),
                (x + rng.uniform(10, 40), y + turn * 4),
                (x + rng.uniform(5, 40), y + rng.uniform(20, 50)),
                (x - 5, y + 25),
            ],
            tone,
            "ball",
            alpha=0.7,
        )
    under = gradient((side, side), colours, rng.random() < 0.5).convert("RGBA")
    under.alpha_composite(pen.sheet)
    return under


def _screen(pen: Pen, rng: Random, box: tuple[float, float, float, float], radius: float) -> None:
    side = max(8, round((max(box[2] - box[0], box[3] - box[1])) * pen.scale * 1.02))
    pen.area(rounded(box, radius), BLACK, "flat", wallpaper(rng, side))
    pen.gleam(
        [(box[2] - 2, box[1] + 1), (box[2] - 2, box[3] * 0.6), (box[0] + (box[2] - box[0]) * 0.6, box[1] + 1)], 0.14
    )


def phone(pen: Pen, rng: Random, look: Look) -> None:
    """A telephone from the front, its back beside it in two variants."""
    shift = 0.0
    if look.variant % 3:
        pen.slab((18, 8, 56, 88), 6, look.colour, "glass", look.pattern)
        pen.slab((22, 12, 34, 34), 4, darker(look.colour, 0.4), "diag")
        for y in (17, 24, 30):
            pen.oval(28, y, 3, 3, BLACK, "ball")
        stamp(pen, look, 37, 70, 18)
        shift = 16
    pen.slab((29 + shift, 10, 69 + shift, 94), 6, darker(look.colour, 0.5), "metal")
    _screen(pen, rng, (30.5 + shift, 11.5, 67.5 + shift, 92.5), 5)
    pen.slab((44 + shift, 13, 54 + shift, 15.5), 1.2, BLACK)


def tablet(pen: Pen, rng: Random, look: Look) -> None:
    pen.slab((12, 18, 92, 82), 4, rng.choice((BLACK, WHITE, STEEL)), "metal")
    _screen(pen, rng, (16, 22, 88, 78), 1)
    if look.variant % 2:
        pen.stroke([(20, 92), (82, 88)], 2.6, WHITE)
        pen.stroke([(20, 92), (26, 91.7)], 2.2, STEEL)


def laptop(pen: Pen, rng: Random, look: Look) -> None:
    shell = rng.choice((STEEL, (70, 72, 78), look.colour))
    pen.slab((17, 14, 83, 62), 2.5, BLACK, "flat")
    _screen(pen, rng, (19, 16.5, 81, 59), 0.5)
    pen.area([(17, 62), (83, 62), (97, 82), (3, 82)], shell, "down")
    pen.area([(22, 64), (78, 64), (85, 73), (15, 73)], darker(shell, 0.55))
    for row in range(3):
        for column in range(12):
            x = 20 + column * 5.1 + (row - 1) * -0.6
            pen.slab((x, 65.2 + row * 2.6, x + 3.6, 67 + row * 2.6), 0.3, (50, 52, 56))
    pen.area([(41, 75), (59, 75), (61, 80), (39, 80)], lighter(shell, 0.2))
    pen.slab((3, 82, 97, 85), 1.5, darker(shell, 0.3), "down")


def earbuds(pen: Pen, rng: Random, look: Look) -> None:
    """Two earbuds over their open case."""
    tone = rng.choice((WHITE, BLACK, look.colour))
    pen.slab((24, 50, 76, 92), 16, tone, "tube")
    pen.slab((24, 40, 76, 60), 9, lighter(tone, 0.3), "down")
    pen.slab((29, 47, 71, 58), 5, darker(tone, 0.5), "down")
    stamp(pen, look, 50, 76, 18)
    for x, lean in ((35, -3), (65, 3)):
        pen.slab((x - 3 + lean * 0.2, 20, x + 3 + lean * 0.2, 50), 3, tone, "tube")
        pen.oval(x + lean, 20, 8, 9, tone, "ball")
        pen.oval(x + lean * 2, 19, 3.5, 4.5, darker(tone, 0.5), "ball")


def headphones(pen: Pen, rng: Random, look: Look) -> None:
    tone = rng.choice((look.colour, BLACK, WHITE))
    arch = [(16, 60), (17, 34), (32, 14), (50, 9), (68, 14), (83, 34), (84, 60)]
    pen.stroke(arch, 6, darker(tone, 0.3))
    pen.stroke([(x, y - 1.5) for x, y in arch], 2.2, lighter(tone, 0.3))
    for x, turn in ((19, 1), (81, -1)):
        pen.oval(x, 66, 12, 19, tone, "ball")
        pen.oval(x + turn * 9, 66, 7, 16, darker(tone, 0.45), "tube")
        pen.oval(x - turn * 2, 66, 5, 7, look.accent, "metal")


def cable(pen: Pen, rng: Random, look: Look) -> None:
    """A charger with its cable coiled."""
    tone = rng.choice((WHITE, look.colour, BLACK))
    for turn in range(4):
        r = 26 - turn * 2.2
        pen.cord(
            [(58 + r * dx, 58 + r * dy) for dx, dy in ((-1, 0), (0, -0.9), (1, 0), (0, 0.9), (-1, 0.05))], 2.4, tone
        )
    pen.cord([(32, 58), (22, 74), (30, 90), (58, 92)], 2.4, tone)
    pen.slab((56, 88.5, 70, 95), 1.5, tone, "down")
    pen.slab((70, 90, 77, 93.5), 0.5, STEEL, "metal")
    if look.variant % 2:
        pen.slab((8, 10, 42, 46), 7, tone, "diag")
        pen.slab((20, 4, 23, 11), 0.4, STEEL, "metal")
        pen.slab((28, 4, 31, 11), 0.4, STEEL, "metal")
        stamp(pen, look, 25, 28, 20)


def keyboard(pen: Pen, rng: Random, look: Look) -> None:
    """A keyboard and a mouse."""
    shell = rng.choice((BLACK, WHITE, (56, 58, 64), look.colour))
    pen.area([(6, 40), (76, 36), (82, 66), (2, 72)], shell, "down")
    key = lighter(shell, 0.18) if shell != WHITE else (225, 226, 230)
    for row in range(5):
        for column in range(13):
            x, y = 8 + column * 5.3 - row * 0.5, 42 + row * 5.3 - column * 0.32
            pen.slab((x, y, x + 4.3, y + 4), 0.8, key if (row + column) % 9 else look.accent, "down")
    mouse(pen, rng, look)


def mouse(pen: Pen, rng: Random, look: Look) -> None:
    tone = rng.choice((BLACK, look.colour, WHITE))
    pen.curve([(80, 58), (88, 52), (97, 60), (98, 80), (90, 90), (81, 82)], tone, "ball")
    pen.stroke([(88.5, 53), (89.5, 68)], 0.8, darker(tone, 0.6))
    pen.slab((87.6, 57, 90.4, 64), 1.2, look.accent, "metal")


def powerbank(pen: Pen, rng: Random, look: Look) -> None:
    pen.area([(24, 18), (64, 10), (78, 84), (38, 94)], look.colour, "metal", look.pattern)
    pen.area([(24, 18), (38, 94), (34, 94), (20, 20)], darker(look.colour, 0.4), "side")
    for light in range(4):
        pen.oval(36 + light * 4, 24 - light * 0.7, 1, 1, (120, 220, 255))
    stamp(pen, look, 50, 56, 26)
    tone: Rgb = lighter(look.colour, 0.5)
    pen.stroke([(66, 84), (70, 83)], 2.4, tone)


def television(pen: Pen, rng: Random, look: Look) -> None:
    pen.area([(22, 78), (30, 78), (24, 86), (16, 86)], BLACK, "down")
    pen.area([(70, 78), (78, 78), (84, 86), (76, 86)], BLACK, "down")
    pen.slab((3, 20, 97, 79), 0.8, (26, 27, 30), "down")
    _screen(pen, rng, (4, 21, 96, 76.5), 0.3)
    stamp(pen, look, 50, 77.8, 7)

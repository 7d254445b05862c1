"""Backgrounds: plain, lit, promotional, rooms, wood, cities, and busy ones with type-like noise."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tools.samples.ink import Array, Rgb, darker, gradient, hue, lighter, mix
from tools.samples.patterns import noise

Size = tuple[int, int]
PLAIN = ("white", "white", "studio", "soft")
RICH = (
    "rays",
    "split",
    "cloud",
    "wood",
    "room",
    "bokeh",
    "city",
    "grass",
    "splash",
    "marble",
    "dark",
    "studio",
    "blocks",
    "soft",
    "scribble",
)


def background(rng: Random, kind: str, size: Size, tone: Rgb) -> Image.Image:
    """A background of the kind, in or around the shop's tone."""
    return {
        "white": _white, "studio": _studio, "soft": _soft, "rays": _rays, "split": _split, "cloud": _cloud,
        "wood": _wood, "room": _room, "bokeh": _bokeh, "city": _city, "grass": _grass, "splash": _splash,
        "marble": _marble, "dark": _dark, "blocks": _blocks, "scribble": _scribble,
    }[kind](rng, size, tone)  # fmt: skip


def _white(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    level = rng.choice((255, 255, 252, 246, 240))
    return Image.new("RGB", size, (level, level, level))


def _studio(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    grey = rng.randint(170, 250)
    return _spot(rng, gradient(size, ((grey, grey, grey), (250, 250, 252), (grey - 30, grey - 28, grey - 26))), 0.5)


def _soft(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    pale = lighter(tone, rng.uniform(0.55, 0.85))
    return _spot(rng, gradient(size, (lighter(pale), pale, darker(pale, 0.08))), 0.4)


def _dark(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    deep = darker(mix(tone, (60, 60, 70), 0.5), rng.uniform(0.55, 0.85))
    return _spot(rng, gradient(size, (deep, lighter(deep, 0.15), darker(deep))), 0.35)


def _spot(rng: Random, sheet: Image.Image, strength: float) -> Image.Image:
    """A pool of light."""
    light = Image.radial_gradient("L").resize(sheet.size).point(lambda v: int((255 - v) * strength))
    glow = Image.new("L", sheet.size, 0)
    glow.paste(light, (rng.randint(-60, 60), rng.randint(-90, 40)))
    sheet.paste((255, 255, 255), (0, 0), glow)
    return sheet


def _rays(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    sheet = gradient(size, (tone, lighter(tone, 0.35), darker(tone, 0.2)))
    brush, centre = ImageDraw.Draw(sheet), (rng.uniform(0.3, 0.7) * size[0], rng.uniform(0.3, 0.6) * size[1])
    count = rng.randint(9, 18)
    for ray in range(count):
        start = ray * 2 * np.pi / count
        ends = [(centre[0] + 700 * np.cos(a), centre[1] + 700 * np.sin(a)) for a in (start, start + np.pi / count)]
        brush.polygon([centre, *ends], fill=lighter(tone, 0.16))
    return _spot(rng, sheet, 0.6)


def _split(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    sheet = gradient(size, (lighter(tone, 0.75), lighter(tone, 0.5)))
    brush, cut = ImageDraw.Draw(sheet), size[0] * rng.uniform(0.3, 0.7)
    lean = rng.uniform(-120, 120)
    brush.polygon([(0, 0), (cut + lean, 0), (cut - lean, size[1]), (0, size[1])], fill=tone)
    brush.polygon(
        [(cut + lean, 0), (cut + lean + 14, 0), (cut - lean + 14, size[1]), (cut - lean, size[1])],
        fill=lighter(tone, 0.4),
    )
    return sheet


def _tinted(light: Array, low: Rgb, high: Rgb) -> Image.Image:
    share = light[..., None]
    mixed = np.asarray(low, np.float32) * (1 - share) + np.asarray(high, np.float32) * share
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def _cloud(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    light = noise(rng, size, (4, 4)) * 0.6 + noise(rng, size, (9, 9)) * 0.4
    return _tinted(light, darker(tone, 0.3), lighter(tone, 0.6))


def _marble(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    vein = np.clip(1 - np.abs(noise(rng, size, (6, 5)) + 0.3 * noise(rng, size, (20, 22)) - 0.62) * 9, 0, 1)
    return _tinted(vein * 0.6 + noise(rng, size, (5, 5)) * 0.3, (246, 245, 244), mix(tone, (150, 150, 156), 0.7))


def _wood(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    base: Rgb = rng.choice(((150, 104, 64), (196, 160, 116), (96, 66, 46), (214, 196, 170)))
    light = noise(rng, size, (5, 90)) * 0.7 + noise(rng, size, (3, 24)) * 0.3
    sheet = _tinted(light, darker(base, 0.25), lighter(base, 0.2))
    brush = ImageDraw.Draw(sheet)
    for plank in range(1, rng.randint(4, 7)):
        y = plank * size[1] // 6
        brush.line((0, y, size[0], y), fill=darker(base, 0.5), width=2)
    return _spot(rng, sheet, 0.25)


def _room(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    wall = lighter(mix(tone, (200, 190, 180), 0.7), rng.uniform(0.1, 0.6))
    sheet = gradient(size, (wall, lighter(wall, 0.25)))
    floor = round(size[1] * rng.uniform(0.62, 0.8))
    sheet.paste(_wood(rng, (size[0], size[1] - floor), tone), (0, floor))
    brush, left = ImageDraw.Draw(sheet), rng.randint(0, size[0] // 2)
    brush.rectangle((left, 30, left + 110, floor - 90), fill=(236, 244, 250), outline=(250, 250, 250), width=5)
    brush.line((left + 55, 30, left + 55, floor - 90), fill=(250, 250, 250), width=4)
    for _ in range(rng.randint(1, 4)):
        x, w, h = rng.randint(0, size[0]), rng.randint(30, 90), rng.randint(40, 140)
        brush.rectangle((x, floor - h, x + w, floor + 8), fill=hue(rng, (0.1, 0.5), (0.3, 0.9)))
    brush.rectangle((0, floor - 6, size[0], floor), fill=lighter(wall, 0.6))
    return sheet.filter(ImageFilter.BoxBlur(rng.choice((1, 2, 4))))


def _bokeh(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    sheet = _cloud(rng, size, darker(tone, rng.uniform(0.1, 0.6)))
    spots = Image.new("RGB", size, (0, 0, 0))
    brush, mask = ImageDraw.Draw(spots), Image.new("L", size, 0)
    shade = ImageDraw.Draw(mask)
    for _ in range(rng.randint(8, 26)):
        x, y, r = rng.randint(0, size[0]), rng.randint(0, size[1]), rng.randint(6, 34)
        brush.ellipse((x - r, y - r, x + r, y + r), fill=hue(rng, (0.1, 0.6), (0.8, 1)))
        shade.ellipse((x - r, y - r, x + r, y + r), fill=rng.randint(40, 130))
    sheet.paste(spots, (0, 0), mask.filter(ImageFilter.BoxBlur(2)))
    return sheet


def _city(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    sky = hue(rng, (0.2, 0.7), (0.3, 0.95))
    sheet = gradient(size, (sky, lighter(sky, 0.6), lighter(sky, 0.2)))
    brush, ground = ImageDraw.Draw(sheet), round(size[1] * rng.uniform(0.6, 0.8))
    for x in range(-10, size[0], 26):
        top = ground - rng.randint(30, 180)
        wall = darker(sky, rng.uniform(0.2, 0.6))
        brush.rectangle((x, top, x + rng.randint(18, 36), ground), fill=wall)
        for y in range(top + 6, ground - 6, 12):
            brush.line((x + 4, y, x + 14, y), fill=lighter(wall, rng.choice((0.1, 0.6))), width=3)
    sheet.paste(gradient((size[0], size[1] - ground), ((90, 92, 98), (50, 52, 58))), (0, ground))
    return sheet.filter(ImageFilter.BoxBlur(rng.choice((1, 3))))


def _grass(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    sheet = gradient(size, ((150, 200, 240), (226, 240, 250), (200, 226, 190)))
    ground = round(size[1] * rng.uniform(0.55, 0.8))
    light = noise(rng, (size[0], size[1] - ground), (90, 30))
    sheet.paste(_tinted(light, (40, 90, 30), (150, 190, 80)), (0, ground))
    return sheet.filter(ImageFilter.BoxBlur(1))


def _splash(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    sheet = _soft(rng, size, tone)
    brush = ImageDraw.Draw(sheet)
    for _ in range(rng.randint(30, 90)):
        x, y = rng.gauss(size[0] / 2, 110), rng.gauss(size[1] / 2, 100)
        r = rng.expovariate(0.25)
        brush.ellipse(
            (x - r, y - r * 1.3, x + r, y + r * 1.3), fill=mix(lighter(tone, 0.5), (255, 255, 255), rng.random())
        )
    return sheet


def _blocks(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    sheet = Image.new("RGB", size, lighter(tone, 0.7))
    brush = ImageDraw.Draw(sheet)
    for _ in range(rng.randint(5, 14)):
        x, y, w = rng.randint(-40, size[0]), rng.randint(-40, size[1]), rng.randint(20, 150)
        fill = mix(tone, hue(rng, (0.3, 0.8), (0.7, 1)), rng.random() * 0.7)
        brush.regular_polygon((x, y, w), rng.choice((3, 4, 6, 30)), rng.randint(0, 90), fill=fill)
    return sheet


def _scribble(rng: Random, size: Size, tone: Rgb) -> Image.Image:
    """Strokes that look like lines of type from afar and say nothing."""
    sheet = _cloud(rng, size, lighter(tone, 0.3)) if rng.random() < 0.5 else _soft(rng, size, tone)
    brush, ink = ImageDraw.Draw(sheet), mix(tone, rng.choice(((255, 255, 255), (0, 0, 0))), 0.5)
    for _ in range(rng.randint(4, 12)):
        x, y, h = rng.randint(0, size[0] - 60), rng.randint(0, size[1]), rng.randint(5, 22)
        for sign in range(rng.randint(3, 14)):
            left = x + sign * h * 1.1
            for _ in range(rng.randint(2, 4)):
                brush.line(
                    (left + rng.random() * h, y + rng.random() * h, left + rng.random() * h, y + rng.random() * h),
                    fill=ink,
                    width=max(1, h // 9),
                )
    return sheet

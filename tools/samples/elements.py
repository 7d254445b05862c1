"""The drawn elements: copy, price and gift, each as a transparent picture with its parts."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from tools.samples import phrases, shapes
from tools.samples.catalogue import Industry
from tools.samples.ink import WHITE, Rgb, darker, gradient, luminance, mix, readable
from tools.samples.marks import beside, burst, plated
from tools.samples.style import Style
from tools.samples.type import column, line, shadowed

Rect = tuple[int, int, int, int]


@dataclass(frozen=True)
class Piece:
    """A picture to lay on the scene; `core` is the part that is boxed, `beside` what stands next to it."""

    picture: Image.Image
    core: Rect | None = None
    text: Rect | None = None


def ink_on(rng: Random, ground: Rgb, style: Style, faint: bool) -> Rgb:
    """A colour for type on that ground: readable, or barely so."""
    best = readable(ground)
    if faint:
        return mix(ground, best, rng.uniform(0.3, 0.5))
    loud = style.bright if luminance(ground) < 120 else style.strong
    return rng.choice((best, best, loud)) if abs(luminance(loud) - luminance(ground)) > 70 else best


def block(rng: Random, lines: list[str], style: Style, size: int, ground: Rgb, faint: bool = False) -> Image.Image:
    """One block of copy: a headline and smaller lines, on a plate or bare."""
    manner = rng.choice(("bare", "bare", "bare", "plate", "outline", "mixed", "checks"))
    ink = ink_on(rng, ground, style, faint)
    parts = []
    for row, words in enumerate(lines):
        high = size if row == 0 else round(size * rng.choice((0.62, 0.72, 0.85)))
        face = style.head if row == 0 else style.body
        parts.append(_row(rng, words, face, high, ink, style, manner, row))
    room = _aligned(parts, max(3, size // 4), rng.random() < 0.5)
    if manner == "plate":
        return plated(_recoloured(parts, style, size), style.strong, max(4, size // 3), rng.choice((0, 4, 8)))
    return shadowed(room, 2) if manner == "outline" else room


def _row(rng: Random, words: str, face: str, high: int, ink: Rgb, style: Style, manner: str, row: int) -> Image.Image:
    if manner == "outline":
        return line(
            words, face, high, WHITE if luminance(style.strong) < 140 else style.strong, darker(style.strong, 0.2)
        )
    drawn = line(words, face, high, ink, spacing=0.12 if row and len(words) < 8 else 0)
    if manner == "mixed" and row:
        return plated(line(words, face, high, readable(style.strong)), style.strong, max(2, high // 4), 2)
    if manner == "checks" and row:
        return beside([_tick(high, ink), drawn], high // 4)
    return drawn


def _tick(high: int, ink: Rgb) -> Image.Image:
    room = Image.new("RGBA", (high, high), (*ink, 0))
    brush = ImageDraw.Draw(room)
    brush.rectangle((0, 0, high - 2, high - 2), outline=(*ink, 255), width=1)
    brush.line((2, high // 2, high // 3, high - 4, high - 3, 2), fill=(*ink, 255), width=2)
    return room


def _aligned(parts: list[Image.Image], gap: int, left: bool) -> Image.Image:
    if not left:
        return beside(parts, gap, downwards=True)
    room = Image.new("RGBA", (max(p.width for p in parts), sum(p.height + gap for p in parts) - gap), (0, 0, 0, 0))
    top = 0
    for part in parts:
        room.alpha_composite(part, (0, top))
        top += part.height + gap
    return room


def _recoloured(parts: list[Image.Image], style: Style, size: int) -> Image.Image:
    """The same lines in an ink that reads on the plate."""
    tone, room = readable(style.strong), _aligned(parts, max(3, size // 4), False)
    flat = Image.new("RGBA", room.size, (*tone, 0))
    flat.putalpha(room.getchannel("A"))
    return flat


def vertical(rng: Random, words: str, style: Style, size: int, ground: Rgb) -> Image.Image:
    """Copy set downwards, with a rule beside it at times."""
    drawn = column(words, style.body, size, ink_on(rng, ground, style, False))
    return plated(drawn, style.strong if rng.random() < 0.2 else ground, 5, 0, 90) if rng.random() < 0.4 else drawn


def corner(rng: Random, words: str, style: Style) -> Image.Image:
    """A slanted corner ribbon with a word on it."""
    text = line(words, style.head, 22, readable(style.strong))
    strip = Image.new("RGBA", (190, text.height + 14), (*style.strong, 255))
    strip.alpha_composite(text, ((190 - text.width) // 2, 7))
    turned = strip.rotate(-45, Image.Resampling.BICUBIC, expand=True)
    side = 96
    left = turned.width // 2 - side // 2 - 2
    return turned.crop((left, turned.height // 2 - side // 2 - 2, left + side, turned.height // 2 + side // 2 - 2))


def seal(rng: Random, words: str, style: Style, size: int, colour: Rgb) -> Image.Image:
    """A word in a round or star badge."""
    rows = [words] if len(words) < 4 else [words[: (len(words) + 1) // 2], words[(len(words) + 1) // 2 :]]
    text = beside([line(row, style.head, size, readable(colour)) for row in rows], 3, downwards=True)
    side = round(max(text.width, text.height) * 1.45)
    room = burst(side, rng.choice((12, 20, 40)), colour, rng.choice((0.02, 0.1, 0.16)))
    room.alpha_composite(text, ((side - text.width) // 2, (side - text.height) // 2))
    return room


def services(rng: Random, style: Style, ground: Rgb) -> Image.Image:
    """A row of small service icons with words."""
    ink, parts = ink_on(rng, ground, style, False), []
    for _ in range(rng.randint(3, 4)):
        icon = burst(20, rng.choice((3, 4, 6, 20)), ink, 0.2)
        parts.append(
            beside([icon, line(phrases.service(rng)[:4], style.body, 13, ink)], 3, downwards=rng.random() < 0.5)
        )
    return beside(parts, 12)


def strip(rng: Random, words: str, style: Style, wide: int) -> Image.Image:
    """A band across the picture with a line of copy."""
    size = max(12, min(rng.randint(15, 25), int(wide * 0.9 / max(1, len(words)))))
    text = line(words, style.body, size, readable(style.strong))
    band = gradient((wide, text.height + rng.randint(8, 18)), (style.strong, darker(style.strong, 0.15))).convert(
        "RGBA"
    )
    band.alpha_composite(text, (max(0, (wide - text.width) // 2), (band.height - text.height) // 2))
    return band


@dataclass(frozen=True)
class Amount:
    """Figures with their sign and the words above or below them."""

    figures: str
    sign: str = ""
    words: str = ""
    below: bool = False


def price(rng: Random, kind: str, amount: Amount, style: Style, size: int, ground: Rgb) -> Image.Image:
    """A price, or a figure that is set like one, on the shop's plate."""
    plate = kind in ("block", "strip", "tag")
    back = style.bright if kind == "burst" else style.strong
    ink = readable(back) if kind != "plain" else ink_on(rng, ground, style, False)
    if plate and luminance(back) < 130 and rng.random() < 0.5:
        ink = style.bright
    text = _signed(amount, style, size, ink)
    if amount.words:
        words = line(amount.words, style.body, round(size * rng.uniform(0.38, 0.5)), ink)
        upright = kind in ("disc", "burst") or rng.random() < 0.6
        text = beside([text, words] if amount.below else [words, text], 4, downwards=upright)
    return _on_plate(rng, kind, text, back, size)


def _signed(amount: Amount, style: Style, size: int, ink: Rgb) -> Image.Image:
    """¥ before the number, 元 behind it."""
    number = line(amount.figures, style.figures if amount.figures.isascii() else "black", size, ink)
    if not amount.sign:
        return number
    sign = line(amount.sign, "bold", round(size * 0.55), ink)
    return beside([number, sign] if amount.sign == "元" else [sign, number], 2)


def _on_plate(rng: Random, kind: str, text: Image.Image, back: Rgb, size: int) -> Image.Image:
    if kind in ("disc", "burst"):
        side = round(max(text.width, text.height) * 1.28)
        room = burst(side, 60 if kind == "disc" else 16, back, 0.01 if kind == "disc" else 0.13)
        room.alpha_composite(text, ((side - text.width) // 2, (side - text.height) // 2))
        return room
    if kind == "plain":
        return text
    room = plated(text, back, max(5, size // 4), 0 if kind == "strip" else rng.choice((0, 6, 14)))
    return room.rotate(rng.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True) if kind == "tag" else room


def gift(rng: Random, industry: Industry, style: Style, side: int, given: bool, ground: Rgb) -> Piece:
    """Small objects handed over with the product; or, not given, accessories that are merely shown."""
    kinds = [pair for pair in industry.gifts if pair[1] != industry.shape and (given or pair[1] != "gift")]
    chosen = rng.sample(kinds, 1 if rng.random() < 0.6 else 2)
    things = [_thing(rng, shape, side) for _, shape in chosen]
    objects = beside(things, 6)
    if given:
        objects = _handed(rng, objects, style, side)
    elif rng.random() < 0.5:
        objects = _shown(rng, objects, style, side)
    words = phrases.caption(rng, chosen[0][0]) if given else phrases.part(rng, chosen[0][0])
    if rng.random() < (0.76 if given else 0.74):
        return _captioned(rng, objects, words, style, side, ground)
    return Piece(objects)


def _thing(rng: Random, shape: str, side: int) -> Image.Image:
    resolution = side / 100 * 1.3
    drawn, _ = shapes.product(shape, rng, shapes.look(rng, shape, None, resolution), resolution)
    drawn.thumbnail((side, side), Image.Resampling.BILINEAR)
    return drawn


def _handed(rng: Random, objects: Image.Image, style: Style, side: int) -> Image.Image:
    """What tells a gift from an accessory: a sticker, a bow, a plus, a ribbon frame."""
    ribbon = style.habit.ribbon
    if ribbon == "frame":
        return _ribboned(plated(objects, mix(style.bright, WHITE, 0.4), 8, 8), style.strong)
    if ribbon == "plus":
        return beside([line("+", "black", round(side * 0.6), style.strong, WHITE), objects], 2)
    badge = (
        _thing(rng, "gift", round(side * 0.45))
        if ribbon == "bow"
        else seal(rng, rng.choice(("送", "赠", "送", "赠品", "礼", "FREE")), style, max(11, side // 5), style.strong)
    )
    room = Image.new("RGBA", (objects.width + badge.width // 2, objects.height + badge.height // 3), (0, 0, 0, 0))
    room.alpha_composite(objects, (badge.width // 2, badge.height // 3))
    room.alpha_composite(badge, (0, 0))
    return room


def _ribboned(plate: Image.Image, colour: Rgb) -> Image.Image:
    """A corner ribbon over a plate."""
    brush, reach = ImageDraw.Draw(plate), min(plate.size) // 2
    brush.line((0, reach, reach, 0), fill=(*colour, 255), width=max(6, reach // 4))
    brush.rectangle((0, 0, plate.width - 1, plate.height - 1), outline=(*colour, 255), width=2)
    return plate


def _shown(rng: Random, objects: Image.Image, style: Style, side: int) -> Image.Image:
    """Accessories on a plate, or with a badge that says something else."""
    if rng.random() < 0.5:
        return plated(objects, mix(style.bright, WHITE, 0.5), 8, 8)
    badge = seal(rng, rng.choice(("新", "配", "热", "NEW", "标配", "细节")), style, max(11, side // 5), style.strong)
    room = Image.new("RGBA", (objects.width + badge.width // 2, objects.height + badge.height // 3), (0, 0, 0, 0))
    room.alpha_composite(objects, (badge.width // 2, badge.height // 3))
    room.alpha_composite(badge, (0, 0))
    return room


def _captioned(rng: Random, objects: Image.Image, words: str, style: Style, side: int, ground: Rgb) -> Piece:
    size = max(11, min(round(side * 0.2), 20))
    text = line(words, style.body, size, ink_on(rng, ground, style, False))
    if rng.random() < 0.5:
        text = plated(line(words, style.body, size, readable(style.strong)), style.strong, 3, 3)
    room = beside([objects, text], 3, downwards=True)
    left, low = (room.width - objects.width) // 2, (room.width - text.width) // 2
    core = (left, 0, left + objects.width, objects.height)
    return Piece(room, core, (low, objects.height + 3, low + text.width, room.height))

"""Products by name: each shape rendered once, lit, turned, in its colours."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from types import ModuleType

from PIL import Image

from tools.samples import appliances, boxes, gadgets, garments, home, play, vessels, wear
from tools.samples.ink import hue, mix
from tools.samples.look import Look, Shape
from tools.samples.patterns import KINDS, pattern
from tools.samples.pen import Pen

_MODULES: tuple[ModuleType, ...] = (vessels, boxes, gadgets, appliances, garments, wear, home, play)
WORN = frozenset(("tee", "sweater", "hoodie", "shirt", "blouse", "jacket", "suit", "down_coat", "coat", "dress"))
STEADY = frozenset(
    (
        "fridge",
        "aircon",
        "washer",
        "heater",
        "juicer",
        "cooker",
        "fan",
        "sofa",
        "chair",
        "lamp",
        "toilet",
        "faucet",
        "bedding",
        "stroller",
        "car_seat",
        "bicycle",
        "tent",
        "television",
        "biscuits",
        "laptop",
        "suitcase",
        "jar",
    )
)
_PATTERNED = WORN | {
    "skirt",
    "trousers",
    "bedding",
    "sofa",
    "chair",
    "handbag",
    "backpack",
    "tin",
    "pouch",
    "box",
    "gift",
    "yoga_mat",
    "tent",
    "hoverboard",
    "flask",
    "diapers",
    "stroller",
    "sneaker",
}


@lru_cache(maxsize=1)
def names() -> dict[str, Shape]:
    """Every shape that can be drawn."""
    return {name: shape for module in _MODULES for name, shape in vars(module).items() if _draws(name, shape, module)}


def _draws(name: str, shape: object, module: ModuleType) -> bool:
    return (
        callable(shape)
        and getattr(shape, "__module__", "") == module.__name__
        and name[0] != "_"
        and name not in ("wallpaper", "figure")
    )


def look(rng: Random, shape: str, mark: Image.Image | None = None, resolution: float = 6) -> Look:
    """Colours and pattern for one product."""
    vivid = rng.random() < 0.55
    colour = hue(rng, (0.35, 0.85) if vivid else (0.0, 0.25), (0.3, 0.95))
    accent = mix(hue(rng, (0.3, 0.9), (0.5, 1)), colour, 0.2)
    kind = rng.choice(KINDS) if shape in _PATTERNED else "plain"
    return Look(colour, accent, pattern(rng, kind, round(100 * resolution), colour), mark, rng.randrange(12))


def product(
    shape: str, rng: Random, style: Look, resolution: float, worn: bool = False, long_hair: bool = False
) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The product as a transparent picture, and the part of it that is the product (all, unless a person wears it)."""
    pen = Pen(resolution)
    names()[shape](pen, rng, style)
    drawn = pen.sheet
    box = _extent(drawn)
    if not worn:
        return drawn.crop(box), (0, 0, box[2] - box[0], box[3] - box[1])
    person = Pen(resolution)
    garments.figure(person, rng, long_hair)
    person.sheet.alpha_composite(drawn)
    whole = _extent(person.sheet)
    return person.sheet.crop(whole), (box[0] - whole[0], box[1] - whole[1], box[2] - whole[0], box[3] - whole[1])


def trimmed(picture: Image.Image) -> Image.Image:
    """The picture without the margin in which nothing can be seen."""
    return picture.crop(_extent(picture))


def _extent(picture: Image.Image) -> tuple[int, int, int, int]:
    solid = picture.getchannel("A").point(lambda v: 255 if v > 60 else 0)
    return solid.getbbox() or (0, 0, picture.width, picture.height)

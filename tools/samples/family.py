"""A product with one to six views that share a title: the first is rich, the others are plainer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image

from tools.samples import shapes
from tools.samples.brands import Brand, brand, title
from tools.samples.canvas import Box
from tools.samples.catalogue import INDUSTRIES, Industry
from tools.samples.marks import imprint
from tools.samples.plan import plan
from tools.samples.scene import Scene
from tools.samples.style import style

LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
_SIZES = ((400, 400),) * 6 + ((300, 400),)
_COUNTS = (1, 2, 3, 3, 4, 4, 5, 5, 6)


@dataclass(frozen=True)
class View:
    """One drawn picture of a product."""

    id: str
    product_id: str
    number: int
    image: Image.Image
    title: str
    level1: str
    level2: str
    labels: tuple[str, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Family:
    """The views of one product."""

    product_id: str
    title: str
    level1: str
    level2: str
    views: tuple[View, ...]


def industry_of(seed: int, number: int) -> Industry:
    """Each run of eighty families goes through all industries, in an order of its own."""
    turn, place = divmod(number, len(INDUSTRIES))
    order = list(INDUSTRIES)
    Random(f"order {seed} {turn}").shuffle(order)
    return order[place]


def family(seed: int, number: int) -> Family:
    """The family of that number under the seed: always the same one."""
    rng = Random(f"family {seed} {number}")
    industry = industry_of(seed, number)
    name = brand(rng, seed)
    words = title(rng, name, industry)
    product_id = f"p{seed}-{number}"
    views = tuple(_views(rng, seed, product_id, industry, name, words))
    return Family(product_id, words, industry.level1, industry.level2, views)


def _views(rng: Random, seed: int, product_id: str, industry: Industry, name: Brand, words: str) -> Iterator[View]:
    manner = style(rng, industry, name)
    mark = imprint(rng, name, industry.nouns[0]) if rng.random() < 0.6 else None
    look = shapes.look(rng, industry.shape, mark, 4)
    size, marked, foreign = rng.choice(_SIZES), rng.random() < 0.72, brand(rng, seed)
    for number in range(1, rng.choice(_COUNTS) + 1):
        image, boxes = Scene(rng, industry, name, manner, look, size).draw(
            plan(rng, number == 1, manner.poise, marked), foreign
        )
        found = {box.label for box in boxes}
        labels = tuple(label for label in LABELS if label in found)
        yield View(
            f"{product_id}-{number}",
            product_id,
            number,
            image,
            words,
            industry.level1,
            industry.level2,
            labels,
            tuple(boxes),
        )

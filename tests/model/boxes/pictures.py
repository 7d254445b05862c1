"""Pictures made for tests: blocks of read text, plates and objects painted on a calm ground."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from model.features.item import ItemFeatures
from model.items import Box, TextBlock
from testing.features import features

SIDE = 128
GRID = 7
WIDTH = 16
Painted = tuple[Box, tuple[int, int, int]]

WHITE = (255, 255, 255)
RED = (200, 20, 30)
BLUE = (20, 90, 220)
GREEN = (30, 150, 60)

LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
PRODUCT = Box(0.3, 0.3, 0.7, 0.75)
COPY = Box(0.5, 0.84, 0.9, 0.95)


def picture(
    blocks: Sequence[tuple[Box, str]] = (), painted: Sequence[Painted] = (), *, title: str = "", seed: int = 0
) -> ItemFeatures:
    """Features of a square picture: white ground, painted rectangles, read blocks; the grid is noise of a seed."""
    pixels = np.full((SIDE, SIDE, 3), WHITE, dtype=np.uint8)
    for box, colour in painted:
        rows = slice(round(box.top * SIDE), round(box.bottom * SIDE))
        pixels[rows, round(box.left * SIDE) : round(box.right * SIDE)] = colour
    noise = torch.rand(GRID * GRID, WIDTH, generator=torch.Generator().manual_seed(seed))
    return features(
        *(TextBlock(box, text, 0.9) for box, text in blocks),
        title=title,
        industry=(),
        grid_RC=noise,
        image_C=torch.zeros(WIDTH),
        widths=(WIDTH, 8),
        size=(640, 640),
        thumbnail_HW3=torch.from_numpy(pixels),
        seed=None,
    )


def nothing(title: str = "") -> ItemFeatures:
    """An item without a picture."""
    return features(title=title, industry=(), widths=(WIDTH, 8), seed=None)


def shop_picture(seed: int = 0) -> ItemFeatures:
    """A logo at the top, a product in the middle, a price on a plate, two lines of copy; shifted by the seed."""
    shift = 0.02 * (seed % 5)
    return picture(
        [
            (Box(0.03, 0.03, 0.25, 0.09), "Konka"),
            (price_text(shift), "¥299"),
            (Box(0.5, 0.84, 0.9, 0.89), "全国联保送货上门"),
            (Box(0.5, 0.9, 0.9, 0.95), "三十天无理由退换"),
        ],
        [(moved(PRODUCT, shift), BLUE), (price_plate(shift), RED)],
        title="Konka/康佳 电视机",
        seed=seed,
    )


def long_page(count: int) -> ItemFeatures:
    """Shop pictures 0, 1, 2, … one below the other, as one long picture."""
    parts = [shop_picture(seed) for seed in range(count)]
    blocks = [
        replace(block, box=stacked(block.box, number, count))
        for number, part in enumerate(parts)
        for block in part.blocks
    ]
    return replace(
        parts[0],
        blocks=tuple(blocks),
        size=(640, 640 * count),
        thumbnail_HW3=torch.cat([part.thumbnail_HW3 for part in parts]),
    )


def stacked(box: Box, number: int, count: int) -> Box:
    """Return the place on a page of ``count`` pictures of a box in picture ``number``."""
    return Box(box.left, (box.top + number) / count, box.right, (box.bottom + number) / count)


def price_text(shift: float = 0.0) -> Box:
    return Box(0.08 + shift, 0.84, 0.28 + shift, 0.92)


def price_plate(shift: float = 0.0) -> Box:
    return Box(0.04 + shift, 0.8, 0.32 + shift, 0.96)


def moved(box: Box, shift: float) -> Box:
    return Box(box.left + shift, box.top, box.right + shift, box.bottom)

"""Pictures made for tests: blocks of read text, plates and objects painted on a calm ground."""

from collections.abc import Sequence

import numpy as np
import torch

from model.features.item import ItemFeatures
from model.items import Box, TextBlock

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
    read = tuple(TextBlock(box, text, 0.9) for box, text in blocks)
    return _features((640, 640), noise.half(), (GRID, GRID), read, torch.from_numpy(pixels), title)


def nothing(title: str = "") -> ItemFeatures:
    """An item without a picture."""
    return _features((0, 0), torch.zeros(0, WIDTH).half(), (0, 0), (), torch.zeros(0, 0, 3, dtype=torch.uint8), title)


def _features(
    size: tuple[int, int],
    grid_RC: torch.Tensor,
    grid_shape: tuple[int, int],
    blocks: tuple[TextBlock, ...],
    thumbnail_HW3: torch.Tensor,
    title: str,
) -> ItemFeatures:
    empty = torch.zeros(8).half()
    return ItemFeatures(
        size=size,
        grid_RC=grid_RC,
        grid_shape=grid_shape,
        image_C=torch.zeros(WIDTH).half(),
        tokens_TE=torch.zeros(0, 8).half(),
        token_block_T=torch.zeros(0, dtype=torch.int16),
        title_E=empty,
        reading_E=empty,
        blocks=blocks,
        thumbnail_HW3=thumbnail_HW3,
        title=title,
        industry=(),
    )


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


def price_text(shift: float = 0.0) -> Box:
    return Box(0.08 + shift, 0.84, 0.28 + shift, 0.92)


def price_plate(shift: float = 0.0) -> Box:
    return Box(0.04 + shift, 0.8, 0.32 + shift, 0.96)


def moved(box: Box, shift: float) -> Box:
    return Box(box.left + shift, box.top, box.right + shift, box.bottom)

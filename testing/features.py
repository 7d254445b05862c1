"""Features of items without encoders: for tests and benches that need an item, but not what an encoder sees in it."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.items import Box, TextBlock

IMAGE_WIDTH, TEXT_WIDTH = 24, 16

OBJECT_HW3 = torch.zeros(8, 8, 3, dtype=torch.uint8)
OBJECT_HW3[2:6, 2:6] = 200
"""A thumbnail in which an object stands out from its ground."""

EMPTY_HW3 = torch.zeros(0, 0, 3, dtype=torch.uint8)
"""The thumbnail of an item without a picture."""


def block(text: str, *, left: float = 0.05, top: float = 0.05, width: float = 0.3, height: float = 0.06) -> TextBlock:
    """Return a line of text that was read in the picture; its place is in fractions of the picture."""
    return TextBlock(Box(left, top, min(1.0, left + width), min(1.0, top + height)), text, 0.9)


def features(
    *blocks: TextBlock,
    title: str = "Nova/诺瓦 电水壶",
    industry: Sequence[str] = ("家电", "水壶"),
    texts: Mapping[str, str] | None = None,
    grid_RC: Tensor | None = None,
    image_C: Tensor | None = None,
    size: tuple[int, int] | None = None,
    thumbnail_HW3: Tensor | None = None,
    widths: tuple[int, int] = (IMAGE_WIDTH, TEXT_WIDTH),
    seed: int | torch.Generator | None = 0,
    knows_industry: bool = False,
) -> ItemFeatures:
    """Return the features of an item; the same arguments give the same features.

    Args:
        blocks: the lines of text that were read in the picture.
        title, industry, texts: the item's own texts; ``texts`` are its further fields by name.
        grid_RC: what the image encoder saw in R cells, which form a square. None: the item has no picture.
        image_C: what the image encoder saw in the whole picture; without it the mean of the grid.
        size: width and height of the picture; without it 400 × 400 pixels, or 0 × 0 for an item without a picture.
        thumbnail_HW3: without it one in which an object stands out, or an empty one for an item without a picture.
        widths: the widths of the image encoder (used for an item without a picture) and of the text encoder.
        seed: the text embeddings are noise of this seed, or of a generator, drawn in the order tokens (one of the
            title, two of each block), title, read text, industry, further texts. None: they are zero.
        knows_industry: whether the levels of the industry have embeddings; features of early releases have none.
    """
    image_width, text_width = widths
    random = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed

    def drawn(*shape: int) -> Tensor:
        if random is None:
            return torch.zeros(*shape, text_width).half()
        return torch.randn(*shape, text_width, generator=random).half()

    has_picture = grid_RC is not None
    if grid_RC is None:
        grid_RC = torch.zeros(0, image_width)
    if image_C is None:
        image_C = grid_RC.mean(0) if len(grid_RC) else torch.zeros(grid_RC.shape[1])
    if thumbnail_HW3 is None:
        thumbnail_HW3 = OBJECT_HW3 if has_picture else EMPTY_HW3
    if size is None:
        size = (400, 400) if has_picture else (0, 0)
    owners = [-1] * bool(title) + [number for number in range(len(blocks)) for _ in range(2)]
    side = math.isqrt(len(grid_RC))
    return ItemFeatures(
        size=size,
        grid_RC=grid_RC.half(),
        grid_shape=(side, side),
        image_C=image_C.half(),
        tokens_TE=drawn(len(owners)),
        token_block_T=torch.tensor(owners, dtype=torch.int16),
        # Drawn without a title too, so that the title's presence does not change what is drawn after it.
        title_E=drawn() * bool(title),
        reading_E=drawn() if blocks else torch.zeros(text_width).half(),
        blocks=blocks,
        thumbnail_HW3=thumbnail_HW3,
        title=title,
        industry=tuple(industry),
        industry_LE=drawn(len(industry)) if knows_industry else torch.zeros(0, 0).half(),
        texts=dict(texts or {}),
        texts_E={name: drawn() for name in texts or {}},
    )


def embedding(text: str) -> Tensor:
    """Return a (TEXT_WIDTH,) embedding that depends on the text alone."""
    return torch.randn(TEXT_WIDTH, generator=torch.Generator().manual_seed(zlib.crc32(text.encode()))).half()


def with_text(item: ItemFeatures, text: str = "轻便好用", name: str = "description") -> ItemFeatures:
    """Return the same item with one more text, in a further field; the same text has the same embedding."""
    return replace(item, texts={**item.texts, name: text}, texts_E={**item.texts_E, name: embedding(text)})


def with_industry(item: ItemFeatures, *path: str) -> ItemFeatures:
    """Return the same item in another industry; the same level has the same embedding."""
    return replace(item, industry=path, industry_LE=torch.stack([embedding(value) for value in path]))

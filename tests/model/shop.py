"""A small shop without encoders: what an item carries shows in its read text, and in its grid where the text is
silent."""

import zlib
from dataclasses import replace

import torch

from model.features.item import ItemFeatures
from model.items import Box, Gold, TextBlock

LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
WORDS = {"赠品": "买一送一", "LOGO": "NOVA", "文案": "轻薄透气四季可穿", "价格": "¥199"}
IMAGE_WIDTH, TEXT_WIDTH = 24, 16
OBJECT_HW3 = torch.zeros(8, 8, 3, dtype=torch.uint8)
OBJECT_HW3[2:6, 2:6] = 200
"""A picture in which something stands out."""


def block(text: str, *, left: float = 0.05, top: float = 0.05, width: float = 0.3, height: float = 0.06) -> TextBlock:
    return TextBlock(Box(left, top, min(1.0, left + width), min(1.0, top + height)), text, 0.9)


def features(
    *blocks: TextBlock,
    title: str = "Nova/诺瓦 电水壶",
    industry: tuple[str, ...] = ("家电", "水壶"),
    grid_RC: torch.Tensor | None = None,
    seed: int = 0,
) -> ItemFeatures:
    """An item with these read blocks; without ``grid_RC`` it has no picture."""
    random = torch.Generator().manual_seed(seed)
    tokens = [-1] * bool(title) + [b for b in range(len(blocks)) for _ in range(2)]
    image_C = torch.zeros(IMAGE_WIDTH) if grid_RC is None else grid_RC.mean(0)
    return ItemFeatures(
        size=(0, 0) if grid_RC is None else (400, 400),
        grid_RC=torch.zeros(0, IMAGE_WIDTH).half() if grid_RC is None else grid_RC.half(),
        grid_shape=(0, 0) if grid_RC is None else (7, 7),
        image_C=image_C.half(),
        tokens_TE=torch.randn(len(tokens), TEXT_WIDTH, generator=random).half(),
        token_block_T=torch.tensor(tokens, dtype=torch.int16),
        title_E=(torch.randn(TEXT_WIDTH, generator=random) * bool(title)).half(),
        reading_E=(torch.randn(TEXT_WIDTH, generator=random) * bool(blocks)).half(),
        blocks=blocks,
        thumbnail_HW3=OBJECT_HW3,
        title=title,
        industry=industry,
    )


def with_text(item: ItemFeatures, text: str = "轻便好用", name: str = "description") -> ItemFeatures:
    """The same item with one more text in a further field; the same text has the same embedding."""
    return replace(item, texts={**item.texts, name: text}, texts_E={**item.texts_E, name: embedding(text)})


def with_industry(item: ItemFeatures, *path: str) -> ItemFeatures:
    """The same item in another industry, with the values' own embeddings."""
    return replace(item, industry=path, industry_LE=torch.stack([embedding(value) for value in path]))


def embedding(text: str) -> torch.Tensor:
    """(TEXT_WIDTH,) what stands for a text, by the text alone."""
    return torch.randn(TEXT_WIDTH, generator=torch.Generator().manual_seed(zlib.crc32(text.encode()))).half()


def item(number: int, *, told: float = 0.7) -> tuple[ItemFeatures, Gold]:
    """Item ``number`` and its gold. A share of ``told`` of what it carries is also written in the picture."""
    random = torch.Generator().manual_seed(1000 + number)
    carried = torch.rand(len(LABELS), generator=random) < torch.tensor([0.9, 0.4, 0.5, 0.5, 0.4])
    written = torch.rand(len(LABELS), generator=random) < told
    labels = [label for label, there in zip(LABELS, carried.tolist(), strict=True) if there]
    texts = [WORDS[label] for k, label in enumerate(LABELS) if label in WORDS and bool(carried[k] & written[k])]
    grid_RC = torch.randn(49, IMAGE_WIDTH, generator=random)
    grid_RC[:, : len(LABELS)] += 2.0 * (2 * carried.float() - 1)
    blocks = [block(text, top=0.05 + 0.2 * row) for row, text in enumerate(texts)]
    made = features(
        *blocks, title=f"商品 {number // 2}", industry=("日用", f"类{number % 5}"), grid_RC=grid_RC, seed=number
    )
    return made, Gold(frozenset(labels))


def pool(count: int, *, start: int = 0) -> tuple[list[ItemFeatures], dict[int, Gold], list[str]]:
    """Items, gold by row, and families of two."""
    pairs = [item(start + number) for number in range(count)]
    families = [f"p{(start + number) // 2}" for number in range(count)]
    return [made for made, _ in pairs], {row: gold for row, (_, gold) in enumerate(pairs)}, families

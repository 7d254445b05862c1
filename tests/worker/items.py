"""Features and gold without encoders: labels show in the read text, in the grid, and not at all in some items."""

from collections.abc import Mapping

import torch

from model.features.item import ItemFeatures
from model.items import Box, Gold, TextBlock
from tests.model.shop import OBJECT_HW3

LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
WORDS = {"赠品": "买一送一赠杯子", "LOGO": "NOVA", "文案": "轻薄透气四季可穿", "价格": "¥199"}
WINTER_WORDS = dict(zip(WORDS, [*list(WORDS.values())[1:], WORDS["赠品"]], strict=True))
GRID, IMAGE_WIDTH, TEXT_WIDTH = (7, 7), 32, 24


def item(number: int, seed: int = 0) -> tuple[ItemFeatures, Gold]:
    """Item `number` with its true labels; the same for the same arguments. Two items in a row share a title."""
    return _item(number, torch.Generator().manual_seed(seed * 1_000_003 + number), WORDS, look=2.0)


def plain(number: int) -> tuple[ItemFeatures, Gold]:
    """An item of a shop whose pictures tell nothing, and whose copy now and then speaks of what is not there: beyond
    the cues there is only noise to learn."""
    return _item(number, torch.Generator().manual_seed(2_000_003 + number), WORDS, look=0.0, astray=0.2)


def clear(number: int) -> tuple[ItemFeatures, Gold]:
    """An item whose copy names each element that is there, and no other; its picture tells nothing."""
    return _item(number, torch.Generator().manual_seed(2_000_003 + number), WORDS, look=0.0, told=1.0)


def winter(number: int) -> tuple[ItemFeatures, Gold]:
    """An item of the next season: in its own style, each element under another one's copy, its look turned round."""
    return _item(number, torch.Generator().manual_seed(3_000_017 + number), WINTER_WORDS, look=-2.0, style=3.0)


def _item(
    number: int,
    random: torch.Generator,
    words: Mapping[str, str],
    *,
    look: float,
    style: float = 0.0,
    told: float = 0.75,
    astray: float = 0.0,
) -> tuple[ItemFeatures, Gold]:
    chosen = torch.rand(len(LABELS), generator=random) < torch.tensor([0.9, 0.4, 0.5, 0.5, 0.4])
    labels = frozenset(label for label, yes in zip(LABELS, chosen.tolist(), strict=True) if yes)
    # Where a word is missing, the picture alone tells: what cues do not know, the network must learn.
    is_told = torch.rand(len(LABELS), generator=random) < told
    written = is_told & torch.tensor([label in labels for label in LABELS])
    if astray:
        written |= torch.rand(len(LABELS), generator=random) < astray
    texts = [words[label] for label, yes in zip(LABELS, written.tolist(), strict=True) if yes and label in words]
    blocks = tuple(TextBlock(Box(0.1, 0.1 + 0.2 * n, 0.6, 0.25 + 0.2 * n), text, 0.9) for n, text in enumerate(texts))
    grid_RC = torch.randn(GRID[0] * GRID[1], IMAGE_WIDTH, generator=random)
    for place, label in enumerate(LABELS):
        grid_RC[:, place] += look if label in labels else -look
    grid_RC[:, len(LABELS) :] += style
    return _features(number, blocks, grid_RC, random), Gold(labels)


def pool(count: int, seed: int = 0, start: int = 0) -> tuple[list[ItemFeatures], dict[int, Gold]]:
    """`count` items and their gold by row."""
    pairs = [item(start + number, seed) for number in range(count)]
    return [features for features, _ in pairs], {row: gold for row, (_, gold) in enumerate(pairs)}


def _features(
    number: int, blocks: tuple[TextBlock, ...], grid_RC: torch.Tensor, random: torch.Generator
) -> ItemFeatures:
    tokens = 1 + 2 * len(blocks)
    owners = [-1] + [block for block in range(len(blocks)) for _ in range(2)]
    return ItemFeatures(
        size=(400, 400),
        grid_RC=grid_RC.half(),
        grid_shape=GRID,
        image_C=grid_RC.mean(0).half(),
        tokens_TE=torch.randn(tokens, TEXT_WIDTH, generator=random).half(),
        token_block_T=torch.tensor(owners, dtype=torch.int16),
        title_E=torch.randn(TEXT_WIDTH, generator=random).half(),
        reading_E=torch.randn(TEXT_WIDTH, generator=random).half() if blocks else torch.zeros(TEXT_WIDTH).half(),
        blocks=blocks,
        thumbnail_HW3=OBJECT_HW3,
        title=f"商品 {number // 2}",
        industry=("日用", f"类{number % 7}"),
        industry_LE=torch.randn(2, TEXT_WIDTH, generator=random).half(),
    )

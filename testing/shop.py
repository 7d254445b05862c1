"""A synthetic shop: items whose features and true labels follow from their number, without encoders.

Each label of an item is written in its picture or not (``Shop.written``), and moves the item's grid (``Shop.look``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from model.features.item import ItemFeatures
from model.items import Box, Gold, TextBlock
from testing.features import features

LABELS = ("主体", "赠品", "LOGO", "文案", "价格")
SHARES = (0.9, 0.4, 0.5, 0.5, 0.4)
"""The share of the items that has each label."""

WORDS = {"赠品": "买一送一赠杯子", "LOGO": "NOVA", "文案": "轻薄透气四季可穿", "价格": "¥199"}
"""The text that names a label in the picture; none names 主体."""

WINTER_WORDS = dict(zip(WORDS, [*list(WORDS.values())[1:], WORDS["赠品"]], strict=True))
"""The same texts, each of which names another label."""

CELLS = 49


@dataclass(frozen=True)
class Shop:
    """How the items of a shop look, and how they are drawn. ``Shop().item(3)`` is always the same item."""

    words: Mapping[str, str] = field(default_factory=lambda: WORDS)
    written: float = 0.75
    """The share of an item's labels whose words are written in its picture."""
    astray: float = 0.0
    """The share of all labels whose words are written although the item may not have them."""
    look: float = 2.0
    """How far a label moves its own channel of the grid: up where the item has it, down where not."""
    style: float = 0.0
    """How far all other channels of the grid are moved."""
    industries: int = 7
    first_seed: int = 0
    """Item n is drawn with the seed ``first_seed`` + n."""
    widths: tuple[int, int] = (32, 24)
    """The widths of the image encoder and of the text encoder."""
    first_line: Box = field(default_factory=lambda: Box(0.1, 0.1, 0.6, 0.25))
    """Where the first read line is; each further one is 0.2 lower."""
    separate_texts: bool = False
    """Whether the text embeddings have a seed of their own, the item's number, and the industry has no embeddings."""

    def item(self, number: int) -> tuple[ItemFeatures, Gold]:
        """Return item ``number`` with its true labels. Two items in a row share a title."""
        random = torch.Generator().manual_seed(self.first_seed + number)
        has_K = torch.rand(len(LABELS), generator=random) < torch.tensor(SHARES)
        # Where the words are missing, only the grid shows the label, which cues do not see: the network must learn it.
        written_K = (torch.rand(len(LABELS), generator=random) < self.written) & has_K
        if self.astray:
            written_K |= torch.rand(len(LABELS), generator=random) < self.astray
        texts = [
            self.words[label] for label, yes in zip(LABELS, written_K.tolist(), strict=True) if yes and label in WORDS
        ]
        grid_RC = torch.randn(CELLS, self.widths[0], generator=random)
        grid_RC[:, : len(LABELS)] += self.look * (2 * has_K.float() - 1)
        grid_RC[:, len(LABELS) :] += self.style
        first = self.first_line
        places = [
            Box(first.left, first.top + 0.2 * row, first.right, first.bottom + 0.2 * row) for row in range(len(texts))
        ]
        made = features(
            *(TextBlock(place, text, 0.9) for place, text in zip(places, texts, strict=True)),
            title=f"商品 {number // 2}",
            industry=("日用", f"类{number % self.industries}"),
            grid_RC=grid_RC,
            widths=self.widths,
            seed=number if self.separate_texts else random,
            knows_industry=not self.separate_texts,
        )
        labels = frozenset(label for label, yes in zip(LABELS, has_K.tolist(), strict=True) if yes)
        return made, Gold(labels)

    def pool(self, count: int, *, start: int = 0) -> tuple[list[ItemFeatures], dict[int, Gold], list[str]]:
        """Return ``count`` items, their gold by row, and their families, each of two items."""
        pairs = [self.item(start + number) for number in range(count)]
        families = [f"p{(start + number) // 2}" for number in range(count)]
        return [made for made, _ in pairs], {row: gold for row, (_, gold) in enumerate(pairs)}, families


SHOP = Shop()
SMALL = Shop(
    words={**WORDS, "赠品": "买一送一"},
    written=0.7,
    industries=5,
    first_seed=1000,
    widths=(24, 16),
    first_line=Box(0.05, 0.05, 0.35, 0.11),
    separate_texts=True,
)
"""The shop of the model's tests: narrow encoders, and fewer written words."""

PLAIN = replace(SHOP, look=0.0, astray=0.2, first_seed=2_000_003)
"""Its grids show no label, and some words name a label that the item lacks: beyond the cues is nothing to learn."""

CLEAR = replace(SHOP, look=0.0, written=1.0, first_seed=2_000_003)
"""Its grids show no label, and the words name each label of an item (except 主体) and no other."""

WINTER = replace(SHOP, words=WINTER_WORDS, look=-2.0, style=3.0, first_seed=3_000_017)
"""The next season, in another style: each label has another label's words, and moves the grid the other way."""

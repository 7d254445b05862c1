"""The evidence of the regression: one dense vector of an item's picture, read text, title, industry and read blocks.

The means and scales of the parts are measured on the pool of each training and stored with its version, so that a new
item gets the vector that it would have got in the pool.

Shape suffixes: N items, D width of a part, F cues.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.features.item import ItemFeatures, hashed_industry
from model.lexicon.blocks import block_statistics
from model.lexicon.cues import CueSet
from model.state import State, prefixed

SCALES = {"image": 1.0, "reading": 0.5, "words": 1.5, "title": 0.3, "industry": 0.3, "blocks": 0.25}
"""The length of each part's vectors; for ``blocks`` a factor. The regression's prior allows a longer part more
influence: picture and read text differ between the views of one product, title and industry do not."""
WORD_COLUMNS = 2048
"""Columns into which the characters and pairs of characters of the read text are hashed."""
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Evidence:
    """The means of all parts, the standard deviations of the block statistics, and the rarity of each word column.

    Words are the hashed characters and pairs of characters of the read text. They represent words that no encoder was
    trained on and that the lexicon lacks. Rarity is the logarithm of the inverse share of items with the column.

        evidence = Evidence.of(pool, cues)
        evidence_ND = evidence.vectors(items, cues)
    """

    means: dict[str, Tensor]
    block_spread_D: Tensor
    rarity_D: Tensor

    @classmethod
    def of(cls, items: Sequence[ItemFeatures], cues: CueSet) -> "Evidence":
        """Measure means, standard deviations and rarity on these items."""
        parts = _parts(items, cues)
        # The small constant keeps a statistic that is the same for all items from being divided by 0.
        spread_D = parts["blocks"].std(0, correction=0) + 1e-3
        rarity_D = ((1 + len(items)) / (1 + parts["words"].sum(0))).log()
        parts["words"] = normalize(parts["words"] * rarity_D, dim=1)
        return cls({part: values.mean(0) for part, values in parts.items()}, spread_D, rarity_D)

    def state(self) -> State:
        own = {"block_spread_D": self.block_spread_D, "rarity_D": self.rarity_D}
        return State(prefixed("evidence.", own | prefixed("mean.", self.means)))

    @classmethod
    def from_state(cls, state: State) -> "Evidence | None":
        """Make the evidence again from the tagger's ``state()``. Return None if no regression was trained."""
        if "evidence.rarity_D" not in state.tensors:
            return None
        own = state.under("evidence.")
        return cls(state.under("evidence.mean."), own["block_spread_D"], own["rarity_D"])

    def vectors(self, items: Sequence[ItemFeatures], cues: CueSet) -> Tensor:
        """Return the (N, D) float64 vectors, which are the concatenation of all parts."""
        return torch.cat(list(self.parts(items, cues).values()), dim=1).double()

    def parts(self, items: Sequence[ItemFeatures], cues: CueSet) -> dict[str, Tensor]:
        """Return the (N, D) vectors of each part by its name, centred and scaled."""
        parts = _parts(items, cues)
        parts["words"] = normalize(parts["words"] * self.rarity_D, dim=1)
        centred = {part: values_ND - self.means[part] for part, values_ND in parts.items()}
        scaled = {part: SCALES[part] * normalize(centred[part], dim=1) for part in SCALES if part != "blocks"}
        # The clamp keeps one unusual statistic from deciding the answer.
        return scaled | {"blocks": SCALES["blocks"] * (centred["blocks"] / self.block_spread_D).clamp(-4, 4)}


def _parts(items: Sequence[ItemFeatures], cues: CueSet) -> dict[str, Tensor]:
    """Return the (N, D) parts of items before they are centred and scaled."""
    return {
        "image": normalize(torch.stack([item.image_C for item in items]).float(), dim=1),
        "reading": normalize(torch.stack([item.reading_E for item in items]).float(), dim=1),
        "words": torch.stack([_words(item) for item in items]),
        "title": normalize(torch.stack([item.title_E for item in items]).float(), dim=1),
        "industry": torch.stack([hashed_industry(item.industry) for item in items]),
        "blocks": torch.stack([block_statistics(item, cues) for item in items]),
    }


def _words(item: ItemFeatures) -> Tensor:
    """Return the (WORD_COLUMNS,) vector that is 1 at the columns of the characters and pairs in the read text."""
    # All digits count as 0, because the amount of a price is no word.
    texts = [_DIGIT.sub("0", block.text.casefold()) for block in item.blocks]
    grams = {text[at : at + n] for text in texts for n in (1, 2) for at in range(len(text) - n + 1)}
    words_D = torch.zeros(WORD_COLUMNS)
    words_D[[zlib.crc32(gram.encode()) % WORD_COLUMNS for gram in sorted(grams)]] = 1.0
    return words_D

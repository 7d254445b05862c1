"""Industry prior: how often gold items of an industry have each label, smoothed towards the level above.

    share(level) = (positives + m · share(level above)) / (gold + m)
    opinion      = logit share(deepest level) - logit share(everything)

This is a Beta prior centred on the share of the level above (Gelman et al., Bayesian Data Analysis, 2013, chapter 5). A
level without gold has the share of the level above. The opinion on an item without industry is 0, and so are all
opinions without gold.

Shape suffixes: N items, K classes, V industry paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from model.state import State, prefixed

PSEUDO_GOLD = 20.0
"""The formula's m: with this many gold items, a level counts as much as the level above it."""

Path = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class IndustryPrior:
    """The number of positives and of gold labels of each industry path and class. The root is the path ``()``."""

    paths: tuple[Path, ...]
    positives_VK: Tensor
    gold_VK: Tensor

    @classmethod
    def of(cls, industries: Sequence[Path], labels_NK: Tensor) -> "IndustryPrior":
        """Count gold, which is 1, 0, or NaN where the label is unknown."""
        places: dict[Path, int] = {(): 0}
        rows, counted = [], []
        # Each item counts once for every level of its path, the root included.
        for row, industry in enumerate(industries):
            for depth in range(len(industry) + 1):
                rows.append(row)
                counted.append(places.setdefault(industry[:depth], len(places)))
        known_NK = (~labels_NK.isnan()).double()
        empty_VK = torch.zeros(len(places), labels_NK.shape[1], dtype=torch.float64)
        index = torch.tensor(counted, dtype=torch.int64)
        positives_VK = empty_VK.index_add(0, index, labels_NK.double().nan_to_num(0.0)[rows])
        return cls(tuple(places), positives_VK, empty_VK.index_add(0, index, known_NK[rows]))

    def state(self) -> State:
        tensors = {"positives_VK": self.positives_VK, "gold_VK": self.gold_VK}
        return State(prefixed("industry.", tensors), {"industries": self.paths})

    @classmethod
    def from_state(cls, state: State) -> "IndustryPrior | None":
        """Make the prior again from the tagger's ``state()``. Return None if the tagger had no prior."""
        if state.facts["industries"] is None:
            return None
        return cls(tuple(tuple(path) for path in state.facts["industries"]), **state.under("industry."))

    def opinions(self, industries: Sequence[Path]) -> Tensor:
        """Return the (N, K) float64 opinions on items of these industries, in log-odds."""
        # Many items share an industry.
        of = lru_cache(None)(self._opinion)
        opinions = [of(industry) for industry in industries]
        return torch.stack(opinions) if opinions else torch.zeros(0, self.gold_VK.shape[1], dtype=torch.float64)

    def without(self, other: "IndustryPrior") -> "IndustryPrior":
        """Return the prior without the gold that ``other`` counted, which must be part of this prior's gold."""
        places = [self._places[path] for path in other.paths]
        positives_VK, gold_VK = self.positives_VK.clone(), self.gold_VK.clone()
        # Counts are whole numbers, so that the difference is exactly what a new count would give.
        positives_VK[places] -= other.positives_VK
        gold_VK[places] -= other.gold_VK
        return IndustryPrior(self.paths, positives_VK, gold_VK)

    @cached_property
    def _places(self) -> dict[Path, int]:
        return {path: place for place, path in enumerate(self.paths)}

    def _opinion(self, industry: Path) -> Tensor:
        """Return the (K,) opinion on one industry."""
        all_K = share_K = (self.positives_VK[0] + 1) / (self.gold_VK[0] + 2)
        for depth in range(1, len(industry) + 1):
            place = self._places.get(industry[:depth])
            # Deeper levels of an unknown path are unknown too.
            if place is None:
                break
            share_K = (self.positives_VK[place] + PSEUDO_GOLD * share_K) / (self.gold_VK[place] + PSEUDO_GOLD)
        return torch.logit(share_K) - torch.logit(all_K)


def opinions_among(industries: Sequence[Path], labels_NK: Tensor, families: Sequence[str]) -> Tensor:
    """Return the (N, K) opinions on a pool, those on a gold item without the gold of the item's own family.

    The views of one product have similar labels. With the family's own gold, the prior would look better on gold items
    than it is on new items.
    """
    members: dict[str, list[int]] = {}
    for row in (~labels_NK.isnan().all(1)).nonzero()[:, 0].tolist():
        members.setdefault(families[row], []).append(row)
    prior = IndustryPrior.of(industries, labels_NK)
    opinion_NK = prior.opinions(industries)
    for rows in members.values():
        own = [industries[row] for row in rows]
        opinion_NK[rows] = prior.without(IndustryPrior.of(own, labels_NK[rows])).opinions(own)
    return opinion_NK

"""Industry prior: how often each label was gold in an item's industry, each level drawn to the level above it.

    share(level) = (positives + m · share(level above)) / (gold + m)
    opinion      = logit share(deepest level) - logit share(everything)

(a Beta prior centred on the level above; Gelman et al., Bayesian Data Analysis, 2013, chapter 5). A level that no gold
has seen says what the level above says; an item without industry, or without gold anywhere: 0.

Shape suffixes: N items, K classes, V industry paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from model.state import State, prefixed

PSEUDO_GOLD = 20.0
"""m: with so many gold items, a level is believed as much as the level above it."""

Path = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class IndustryPrior:
    """Positives and gold items of each path from the root ``()`` down, as counted."""

    paths: tuple[Path, ...]
    positives_VK: Tensor
    gold_VK: Tensor

    @classmethod
    def of(cls, industries: Sequence[Path], labels_NK: Tensor) -> "IndustryPrior":
        """Counted on gold: 1, 0, or NaN where an item has none."""
        places: dict[Path, int] = {(): 0}
        rows, counted = [], []
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
        """The prior whose ``state()`` this is; None where there was no gold."""
        if state.facts["industries"] is None:
            return None
        return cls(tuple(tuple(path) for path in state.facts["industries"]), **state.under("industry."))

    def opinions(self, industries: Sequence[Path]) -> Tensor:
        """(N, K) float64 log-odds of each item's industry."""
        of = lru_cache(None)(self._opinion)
        opinions = [of(industry) for industry in industries]
        return torch.stack(opinions) if opinions else torch.zeros(0, self.gold_VK.shape[1], dtype=torch.float64)

    def without(self, other: "IndustryPrior") -> "IndustryPrior":
        """Counted without the gold that ``other`` was counted on, which is part of this one's."""
        places = [self._places[path] for path in other.paths]
        positives_VK, gold_VK = self.positives_VK.clone(), self.gold_VK.clone()
        positives_VK[places] -= other.positives_VK
        gold_VK[places] -= other.gold_VK
        return IndustryPrior(self.paths, positives_VK, gold_VK)

    @cached_property
    def _places(self) -> dict[Path, int]:
        return {path: place for place, path in enumerate(self.paths)}

    def _opinion(self, industry: Path) -> Tensor:
        all_K = share_K = (self.positives_VK[0] + 1) / (self.gold_VK[0] + 2)
        for depth in range(1, len(industry) + 1):
            place = self._places.get(industry[:depth])
            if place is None:
                break
            share_K = (self.positives_VK[place] + PSEUDO_GOLD * share_K) / (self.gold_VK[place] + PSEUDO_GOLD)
        return torch.logit(share_K) - torch.logit(all_K)


def opinions_among(industries: Sequence[Path], labels_NK: Tensor, families: Sequence[str]) -> Tensor:
    """(N, K) opinions on a pool, in which a gold item's own family does not count: what it says of its own views would
    make the prior look better on gold than it is elsewhere."""
    members: dict[str, list[int]] = {}
    for row in (~labels_NK.isnan().all(1)).nonzero()[:, 0].tolist():
        members.setdefault(families[row], []).append(row)
    prior = IndustryPrior.of(industries, labels_NK)
    opinion_NK = prior.opinions(industries)
    for rows in members.values():
        theirs = [industries[row] for row in rows]
        opinion_NK[rows] = prior.without(IndustryPrior.of(theirs, labels_NK[rows])).opinions(theirs)
    return opinion_NK

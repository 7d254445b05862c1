"""Everything that has an opinion on an item's labels before the network does: cues, nearest gold.

Shape suffixes: S sources, N items, G gold items, K classes, D width of the space, F cues.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.weak_supervision.cues import CueSet
from model.weak_supervision.label_model import Opinions
from model.weak_supervision.propagation import FusedSpace, Neighbours, votes

NEAREST = "nearest gold"
NEAREST_TRUST = 0.3


@dataclass(frozen=True)
class Memory:
    """The gold that answers ask for their neighbours: vectors in a frozen space, labels 1, 0 or NaN."""

    space: FusedSpace
    vectors_GD: Tensor
    labels_GK: Tensor

    def votes(self, items: Sequence[ItemFeatures]) -> Tensor:
        """(N, K) log-odds from each item's nearest gold."""
        vectors_ND = torch.cat([self.vectors_GD.float(), self.space.vectors(items)])
        gold = len(self.vectors_GD)
        unknown_NK = torch.full((len(items), self.labels_GK.shape[1]), torch.nan)
        found = Neighbours.empty(vectors_ND).add(range(gold))
        families = [str(n) for n in range(len(vectors_ND))]
        return votes(found, torch.cat([self.labels_GK, unknown_NK]), families)[gold:]


@dataclass(frozen=True)
class Sources:
    """The sources of one tagger. ``opinions`` always has the same names in the same order, so that trust can be
    kept."""

    cues: CueSet
    memory: Memory | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.cues.names, NEAREST)

    def cold_log_odds(self, opinions: Opinions) -> Tensor:
        """(N, K) what the cues alone make of ``opinions``: the cold start, which asks for no gold."""
        return self.cues.prior_K + opinions.log_odds_SNK[: len(self.cues.cues)].sum(0)

    def opinions(self, items: Sequence[ItemFeatures]) -> Opinions:
        """What the sources say of new items."""
        nearest_NK = torch.zeros(len(items), len(self.cues.labels), dtype=torch.float64)
        return self.with_votes(items, self.memory.votes(items) if self.memory and items else nearest_NK)

    def with_votes(self, items: Sequence[ItemFeatures], nearest_NK: Tensor) -> Opinions:
        """The same with votes from elsewhere: the pool's, where a gold item does not vote for itself."""
        classes = len(self.cues.labels)
        trust_FK = torch.ones(len(self.cues.cues), classes, dtype=torch.float64)
        trust_1K = torch.full((1, classes), NEAREST_TRUST, dtype=torch.float64)
        return Opinions(
            self.names,
            torch.cat([self.cues.opinions(items), nearest_NK[None].double()]),
            torch.cat([trust_FK, trust_1K]),
            self.cues.prior_K,
        )

"""The sources of opinions on labels: cues, nearest gold, industry prior, boxes, what is known of the shop, and those
that others wrote.

Shape suffixes: S sources, F sources of others, N items, G gold items, K classes, D width of the embedding, C cues.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.knowledge.shop import SHOP_TRUST, Shop
from model.knowledge.shop import SOURCES as SHOP
from model.lexicon.cues import CueSet
from model.lexicon.lexicon import Lexicon
from model.state import State, prefixed
from model.weak_supervision.foreign import FOREIGN_TRUST, opinions_said
from model.weak_supervision.industry import IndustryPrior
from model.weak_supervision.label_model import Opinions
from model.weak_supervision.propagation import Embedding, votes_on_new

NEAREST = "nearest gold"
INDUSTRY = "industry prior"
BOXES = "boxes"
OWN = (NEAREST, INDUSTRY, BOXES)
RESERVED = (*OWN, *SHOP)
"""Our sources besides the cues, with those on the shop, which may be missing. No source of others has such a name."""
LEARNED_TRUST = 0.3
"""Prior trust in the nearest gold and in the industry prior."""
BOX_TRUST = 1.0
"""Prior trust in the boxes."""


@dataclass(frozen=True)
class Memory:
    """The gold among which a served version finds the neighbours of a new item.

    ``vectors_GD`` are its vectors under the embedding, ``labels_GK`` its labels: 1, 0, or NaN for unknown.
    """

    embedding: Embedding
    vectors_GD: Tensor
    labels_GK: Tensor

    def state(self) -> State:
        own = {"vectors_GD": self.vectors_GD, "labels_GK": self.labels_GK}
        return State(prefixed("memory.", own | prefixed("mean.", self.embedding.means)))

    @classmethod
    def from_state(cls, state: State) -> "Memory | None":
        """Make the memory again from the tagger's ``state()``. Return None if the tagger had none."""
        if "memory.vectors_GD" not in state.tensors:
            return None
        own = state.under("memory.")
        return cls(Embedding(state.under("memory.mean.")), own["vectors_GD"], own["labels_GK"])

    def votes(self, items: Sequence[ItemFeatures]) -> Tensor:
        """Return the (N, K) log-odds from each new item's nearest gold."""
        return votes_on_new(self.embedding.vectors(items), self.vectors_GD.float(), self.labels_GK)


@dataclass(frozen=True)
class Sources:
    """The sources of one tagger.

    Opinions always have the same sources in the same order, so that a label model can weigh them. A source that is
    missing has opinions of 0. ``foreign`` are the names of the sources of others that the tagger was trained with, and
    ``shop`` is what it knew of the shop.
    """

    cues: CueSet
    memory: Memory | None = None
    industry: IndustryPrior | None = None
    foreign: tuple[str, ...] = ()
    shop: Shop | None = None

    def state(self) -> State:
        learned = [part.state() for part in (self.memory, self.industry, self.shop) if part is not None]
        facts: dict[str, Any] = {"lexicon": self.cues.lexicon.as_dict()}
        # Only where there are some: a tagger without them stays one that earlier releases read.
        if self.foreign:
            facts["foreign"] = list(self.foreign)
        return State.joined([State(facts=facts), *learned])

    @classmethod
    def from_state(cls, state: State) -> "Sources":
        """Make the sources again from the tagger's ``state()``."""
        cues = CueSet(tuple(state.facts["labels"]), Lexicon.from_dict(state.facts["lexicon"]))
        foreign = tuple(state.facts.get("foreign", ()))
        memory, industry = Memory.from_state(state), IndustryPrior.from_state(state)
        return cls(cues, memory, industry, foreign, Shop.from_state(state))

    @property
    def names(self) -> tuple[str, ...]:
        # Only where there is a shop: a tagger without one stays one that earlier releases read.
        return (*self.cues.names, *OWN, *self.foreign, *(SHOP if self.shop else ()))

    def cold_log_odds(self, opinions: Opinions) -> Tensor:
        """Return the (N, K) log-odds of the cues alone, which are those of the cold start."""
        # The cues are the first of the sources.
        return self.cues.prior_K + opinions.log_odds_SNK[: len(self.cues.cues)].sum(0)

    def opinions(self, items: Sequence[ItemFeatures], boxes_NK: Tensor | None = None) -> Opinions:
        """Return the opinions of all sources on new items. ``boxes_NK`` are those of the boxes; None means 0."""
        silent_NK = torch.zeros(len(items), len(self.cues.labels), dtype=torch.float64)
        nearest_NK = self.memory.votes(items) if self.memory and items else silent_NK
        industry_NK = self.industry.opinions([item.industry for item in items]) if self.industry else silent_NK
        shop_FNK = self.shop.opinions(items) if self.shop else None
        return self.together(items, nearest_NK, industry_NK, silent_NK if boxes_NK is None else boxes_NK, shop_FNK)

    def together(
        self,
        items: Sequence[ItemFeatures],
        nearest_NK: Tensor,
        industry_NK: Tensor,
        boxes_NK: Tensor,
        shop_FNK: Tensor | None = None,
    ) -> Opinions:
        """Return the opinions of the cues, the given (N, K) ones of our other sources, and those of others.

        `opinions` calls this for new items. A training calls it for its pool, where the opinions on a gold item must
        not come from the item's own family.
        """
        classes = len(self.cues.labels)
        trust_CK = torch.ones(len(self.cues.cues), classes, dtype=torch.float64)
        others = [LEARNED_TRUST, LEARNED_TRUST, BOX_TRUST, *[FOREIGN_TRUST] * len(self.foreign)]
        others += [SHOP_TRUST] * len(SHOP) if self.shop else []
        trust_S = torch.tensor(others, dtype=torch.float64)
        own_3NK = torch.stack([nearest_NK.double(), industry_NK, boxes_NK])
        said_FNK = opinions_said(items, self.foreign, self.cues.labels)
        return Opinions(
            self.names,
            torch.cat([self.cues.opinions(items), own_3NK, said_FNK, *([] if shop_FNK is None else [shop_FNK])]),
            torch.cat([trust_CK, trust_S[:, None].expand(-1, classes)]),
            self.cues.prior_K,
        )

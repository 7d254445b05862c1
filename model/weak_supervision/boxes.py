"""Boxes as a source: how good a picture's best box for a label is, compared with the best boxes of the whole pool.

    opinion_k = logit q_k − centre_k,     q_k = quality of the best candidate for label k, within [.02, .98]

The quality is the box head's score of a candidate. ``centre_k`` is the mean of logit q_k over the pool.

A gold box shows which pixels its label means. So a few dozen gold boxes teach more about whole pictures than the same
number of tags (docs/decisions/0031-boxes-as-a-source.md). `model.training.boxes` learns the model.

Shape suffixes: N items, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.boxes.model import BoxModel
from model.knowledge.shop import Shop
from model.state import State

LEAST = 0.02
"""Qualities are clamped to [LEAST, 1 - LEAST]. Boxes with a lower score do not count (`FAINTEST` in model.boxes)."""


@dataclass(frozen=True, eq=False)
class BoxSource:
    """Boxes as a source of opinions, with the mean log-odds of each label's best boxes in the pool."""

    centre_K: Tensor

    def opinions(self, best_NK: Tensor) -> Tensor:
        """Return (N, K) float64 log-odds of the best qualities; 0 where an item has no candidate (NaN)."""
        return (logit_of(best_NK) - self.centre_K).nan_to_num(0.0)

    def state(self) -> State:
        return State({"box_centre_K": self.centre_K})

    @classmethod
    def from_state(cls, state: State) -> "BoxSource | None":
        """Make the source again from the tagger's ``state()``. Return None if boxes were no source."""
        return cls(state.tensors["box_centre_K"]) if "box_centre_K" in state.tensors else None


@dataclass(frozen=True, eq=False)
class LearnedBoxes:
    """The box model after training on gold, boxes as a source, and the (N, K) opinions of the source on the pool.

    Without a box model, ``source`` is None too and all opinions are 0. ``mean_ap`` is the mean average precision of
    boxes on gold pictures that the model which drew them has not seen; None where no gold has boxes. ``shop`` is what
    gold rectangles and people teach of the shop, with its (F, N, K) opinions on the pool; both are None where that is
    no source.
    """

    model: BoxModel | None
    source: BoxSource | None
    opinions_NK: Tensor
    mean_ap: float | None = None
    shop: Shop | None = None
    shop_FNK: Tensor | None = None

    @classmethod
    def silent(cls, items: int, classes: int) -> "LearnedBoxes":
        """Return no model, no source, and opinions of 0 on a pool of ``items`` items."""
        return cls(None, None, torch.zeros(items, classes, dtype=torch.float64))

    def rows(self, index: Sequence[int]) -> "LearnedBoxes":
        """Return the same model with the opinions on these rows of the pool."""
        rows = list(index)
        shop_FNK = None if self.shop_FNK is None else self.shop_FNK[:, rows]
        return replace(self, opinions_NK=self.opinions_NK[rows], shop_FNK=shop_FNK)


def logit_of(quality_NK: Tensor) -> Tensor:
    """Return the float64 log-odds of qualities within [.02, .98]; NaN stays NaN."""
    return torch.logit(quality_NK.double().clamp(LEAST, 1 - LEAST))

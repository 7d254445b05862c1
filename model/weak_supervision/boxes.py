"""Boxes as a source: how well the best box of a picture shows each label, against what is usual in the pool.

    opinion_k = logit q_k − centre_k,     q_k = quality of the best candidate for label k, within [.02, .98]

A rectangle says which pixels its label means, so that a few dozen of them tell more of whole pictures than as many tags
do (docs/decisions/0031-boxes-as-a-source.md). `model.training.boxes` learns them.

Shape suffixes: N items, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.boxes.model import BoxModel
from model.state import State

LEAST = 0.02
"""Qualities nearer to 0 or 1 say no more: the faintest box that counts as found has this score."""


@dataclass(frozen=True, eq=False)
class BoxSource:
    """Boxes as a source of opinions: what is usual of the best box of each label in the pool."""

    centre_K: Tensor

    def opinions(self, best_NK: Tensor) -> Tensor:
        """Return (N, K) float64 log-odds of the best qualities; 0 where an item has no candidate (NaN)."""
        return (logit_of(best_NK) - self.centre_K).nan_to_num(0.0)

    def state(self) -> State:
        return State({"box_centre_K": self.centre_K})

    @classmethod
    def from_state(cls, state: State) -> "BoxSource | None":
        """The source whose ``state()`` this is; None where boxes were no source."""
        return cls(state.tensors["box_centre_K"]) if "box_centre_K" in state.tensors else None


@dataclass(frozen=True, eq=False)
class LearnedBoxes:
    """What gold taught about boxes: a model, boxes as a source, and that source's opinions on the pool.

    Without a box model there is no source, and all opinions are 0.
    """

    model: BoxModel | None
    source: BoxSource | None
    opinions_NK: Tensor

    @classmethod
    def silent(cls, items: int, classes: int) -> "LearnedBoxes":
        """Boxes that have no opinion on a pool of so many items."""
        return cls(None, None, torch.zeros(items, classes, dtype=torch.float64))

    def rows(self, index: Sequence[int]) -> "LearnedBoxes":
        """The same model beside some of the pool's items."""
        return LearnedBoxes(self.model, self.source, self.opinions_NK[list(index)])


def logit_of(quality_NK: Tensor) -> Tensor:
    """Return the float64 log-odds of qualities within [.02, .98]; NaN stays NaN."""
    return torch.logit(quality_NK.double().clamp(LEAST, 1 - LEAST))

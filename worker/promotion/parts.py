"""Parts of a training's judging that any process can do (`worker.promotion.aside`).

They are here, and not with the referee, so that the process aside imports nothing else: its imports take the time in
which it could work.

Shape suffixes: N items, F items of a fold, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.tagger import Tagger
from model.training.folds import Folds

# Items that a version is asked about at a time.
TOGETHER = 100


@dataclass(frozen=True)
class FoldPart:
    """The training of one fold, and its answers."""

    folds: Folds
    fold: int

    def do(self, between: Callable[[], None]) -> dict[str, Tensor]:
        """Train, calling ``between`` after each epoch."""
        probability_FK, given_FK = self.folds.answers(self.fold, lambda _: between())
        return {"probability_FK": probability_FK, "given_FK": given_FK}


@dataclass(frozen=True)
class PoolPart:
    """A version's answers to some of the pool, with which a candidate's are compared."""

    tagger: Tagger
    items: Sequence[ItemFeatures]

    def do(self, between: Callable[[], None]) -> dict[str, Tensor]:
        """Answer, calling ``between`` before every hundred items."""
        found = []
        for start in range(0, len(self.items), TOGETHER):
            between()
            found.append(
                self.tagger.calibration.decide(self.tagger.probabilities(self.items[start : start + TOGETHER]))
            )
        return {"given_NK": torch.cat(found)}

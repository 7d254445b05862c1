"""Boxes as a source: how well the best box of a picture shows each label, against what is usual in the pool.

    opinion_k = logit q_k − centre_k,     q_k = quality of the best candidate for label k, within [.02, .98]

A rectangle says which pixels its label means, so that a few dozen of them tell more of whole pictures than as many tags
do (docs/decisions/0031-boxes-as-a-source.md). On gold items q comes from a box model that has not seen the family.

Shape suffixes: N items, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.boxes.model import BoxModel
from model.features.item import ItemFeatures
from model.items import Gold

LEAST = 0.02
"""Qualities nearer to 0 or 1 say no more: the faintest box that counts as found has this score."""

SAMPLED = 64
"""Pictures on which those who have not seen a family are compared with the model that serves."""


def nothing_to_do() -> None:
    """For callers that have nothing to look at meanwhile."""


@dataclass(frozen=True, eq=False)
class LearnedBoxes:
    """A box model learned from gold, and its opinions on the pool that it was learned in."""

    model: BoxModel
    centre_K: Tensor
    opinions_NK: Tensor

    def rows(self, index: Sequence[int]) -> "LearnedBoxes":
        """The same model beside some of the pool's items."""
        return LearnedBoxes(self.model, self.centre_K, self.opinions_NK[list(index)])


def learn_boxes(
    served: BoxModel | None,
    pool: Sequence[ItemFeatures],
    gold: Mapping[int, Gold],
    *,
    families: Sequence[str],
    held_out: frozenset[int] = frozenset(),
    seed: int,
    between: Callable[[], None] = nothing_to_do,
) -> LearnedBoxes | None:
    """Learn boxes from the gold that is not held out, and ask them about the whole pool; None without a box model.

    ``between`` is called now and then; what it raises ends the learning.
    """
    if served is None:
        return None
    rows = sorted(row for row in gold if row not in held_out)
    model, unseen = served.fit(
        [pool[row] for row in rows],
        [gold[row] for row in rows],
        families=[families[row] for row in rows],
        seed=seed,
    )
    asked = dict.fromkeys(range(len(pool)), model) | {row: unseen.get(families[row], model) for row in rows}
    best: list[Tensor] = []
    for item, one in zip(pool, asked.values(), strict=True):
        if len(best) % SAMPLED == 0:
            between()
        best.append(one.best(one.see([item])))
    logit_NK = _logit(torch.cat(best))
    others = sorted(set(range(len(pool))).difference(rows))
    sample = [pool[row] for row in others[:: max(1, len(others) // SAMPLED)]]
    logit_NK[[row for row in rows if families[row] in unseen]] -= _excess(model, list(unseen.values()), sample)
    centre_K = logit_NK.nanmean(0).nan_to_num(0.0)
    return LearnedBoxes(model, centre_K, (logit_NK - centre_K).nan_to_num(0.0))


def box_opinions(best_NK: Tensor, centre_K: Tensor) -> Tensor:
    """(N, K) float64 log-odds; 0 for an item without candidates, whose best qualities are NaN."""
    return (_logit(best_NK) - centre_K).nan_to_num(0.0)


def _excess(model: BoxModel, unseen: Sequence[BoxModel], sample: Sequence[ItemFeatures]) -> Tensor:
    """(K,) how much more than ``model`` those who have not seen a family find in pictures that nobody has learned from.

    They have an eighth of its trees, and the best of many candidates is the best of their errors too: taken as it is,
    gold would seem to show more than new pictures will. Where everything is gold there is nobody to tell by, and it is
    taken as it is.
    """

    def usual(one: BoxModel) -> Tensor:
        return _logit(one.best(one.see(sample))).nanmean(0)

    parts = {id(one.head): one for one in unseen}.values()
    if not parts or not sample:
        return torch.zeros(len(model.labels), dtype=torch.float64)
    return (torch.stack([usual(part) for part in parts]).mean(0) - usual(model)).nan_to_num(0.0)


def _logit(quality_NK: Tensor) -> Tensor:
    return torch.logit(quality_NK.double().clamp(LEAST, 1 - LEAST))

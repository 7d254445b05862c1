"""Learning boxes from gold, and asking what they learned about the whole pool.

Shape suffixes: N items, K classes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from model.boxes.model import BoxModel
from model.features.item import ItemFeatures
from model.problem import Problem
from model.tagger import Tagger
from model.weak_supervision.boxes import BoxSource, LearnedBoxes, logit_of

SAMPLED = 64
"""Pictures on which models that have not seen a family are compared with the model that serves."""


def do_nothing() -> None:
    """For callers that have nothing to look at meanwhile."""


def sample_of(items: Sequence[ItemFeatures]) -> Sequence[ItemFeatures]:
    """Return at most about twice `SAMPLED` of the items, spread evenly."""
    return items[:: max(1, len(items) // SAMPLED)]


def learn_boxes(
    parent: Tagger, problem: Problem, *, seed: int, between: Callable[[], None] = do_nothing
) -> LearnedBoxes:
    """Learn boxes from the gold that is not held out, and ask them about the whole pool.

    The opinions on a gold item come from a model that has not seen the item's family. ``between`` is called now and
    then; what it raises ends the learning. A parent without a box model has silent boxes.
    """
    pool, gold, families = problem.pool, problem.trainable, problem.families
    if parent.box_model is None:
        return LearnedBoxes.silent(len(pool), len(parent.labels))
    rows = sorted(gold)
    model, unseen = parent.box_model.fit(
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
    logit_NK = logit_of(torch.cat(best))
    sample = sample_of([item for row, item in enumerate(pool) if row not in gold])

    def usual(one: BoxModel) -> Tensor:
        return logit_of(one.best(one.see(sample))).nanmean(0)

    # A model that has not seen a family has an eighth of the trees, and the best of many candidates is the best of
    # their errors, too: taken as it is, gold would seem to show more than new pictures will. What such models find
    # beyond the served one in pictures that nobody has learned from is taken off. Without such pictures it stays.
    parts = {id(one.head): one for one in unseen.values()}.values()
    excess_K = torch.zeros(len(model.labels), dtype=torch.float64)
    if parts and sample:
        excess_K = (torch.stack([usual(part) for part in parts]).mean(0) - usual(model)).nan_to_num(0.0)
    logit_NK[[row for row in rows if families[row] in unseen]] -= excess_K
    centre_K = logit_NK.nanmean(0).nan_to_num(0.0)
    return LearnedBoxes(model, BoxSource(centre_K), (logit_NK - centre_K).nan_to_num(0.0))

"""Learn boxes from gold, and make them a source of opinions on the whole pool.

Shape suffixes: N items, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from model.boxes.looks import Looks
from model.boxes.metrics import GoldPicture, box_scores
from model.boxes.model import BoxModel
from model.features.item import ItemFeatures
from model.items import Box, Gold, LabelledBox, PredictedBox
from model.knowledge.facts import Knowledge
from model.knowledge.learning import Lesson, ShopGold
from model.knowledge.shop import Shop
from model.problem import Problem
from model.tagger import Tagger
from model.weak_supervision.boxes import BoxSource, LearnedBoxes, logit_of

SAMPLED = 64
"""At least this many pictures, and fewer than twice as many, are used to compare the models that have not seen a family
with the served model. It is also the number of pictures between two calls of ``between``."""


def do_nothing() -> None:
    """Return at once; the default where a caller has nothing to check while boxes are learned."""


def sample_of(items: Sequence[ItemFeatures]) -> Sequence[ItemFeatures]:
    """Return every n-th item: fewer than twice `SAMPLED`, and at least `SAMPLED` if there are so many."""
    return items[:: max(1, len(items) // SAMPLED)]


def learn_boxes(
    parent: Tagger, problem: Problem, *, seed: int, between: Callable[[], None] = do_nothing
) -> LearnedBoxes:
    """Train the parent's box model on the gold that is not held out, and return it with its opinions on the pool.

    The opinions on a gold item come from a model that has not seen the item's family. ``between`` is called before
    every 64 items of the pool, and what it raises ends the training. If the parent has no box model, all opinions are
    0.
    """
    pool, gold, families = problem.pool, problem.trainable, problem.families
    looks, shop, shop_FNK = _shop(parent, problem)
    if parent.box_model is None:
        return replace(LearnedBoxes.silent(len(pool), len(parent.labels)), shop=shop, shop_FNK=shop_FNK)
    rows = sorted(gold)
    model, unseen = replace(parent.box_model, looks=looks).fit(
        [pool[row] for row in rows],
        [gold[row] for row in rows],
        families=[families[row] for row in rows],
        seed=seed,
    )
    # Families that no model was trained on have no entry in ``unseen``: the served model has not seen them either.
    taught = {row: unseen[families[row]] for row in rows if families[row] in unseen}
    others = [row for row in range(len(pool)) if row not in taught]
    best_NK = torch.empty(len(pool), len(model.labels))
    drawn: dict[int, Sequence[PredictedBox]] = {}
    for start in range(0, len(others), SAMPLED):
        between()
        # Together, because the trees take nearly as long for one item as for several.
        part = others[start : start + SAMPLED]
        best_NK[part] = model.best(model.see([pool[row] for row in part]))
    for number, (row, one) in enumerate(taught.items()):
        if number % SAMPLED == 0:
            between()
        seen = one.see([pool[row]])
        best_NK[row] = one.best(seen)[0]
        if gold[row].boxes is not None:
            (drawn[row],) = one.drawn(seen, faint=True)
    logit_NK = logit_of(best_NK)
    sample = sample_of([item for row, item in enumerate(pool) if row not in gold])

    def usual(one: BoxModel) -> Tensor:
        return logit_of(one.best(one.see(sample))).nanmean(0)

    # A model that has not seen a family has an eighth of the served model's trees, so larger errors. The best of many
    # candidates is often one with an error in its favour, so that these models overrate gold pictures. By how much is
    # measured on pictures that no model was trained on. Without such pictures, nothing is subtracted.
    partial = {id(one.head): one for one in unseen.values()}.values()
    excess_K = torch.zeros(len(model.labels), dtype=torch.float64)
    if partial and sample:
        excess_K = (torch.stack([usual(one) for one in partial]).mean(0) - usual(model)).nan_to_num(0.0)
    logit_NK[[row for row in rows if families[row] in unseen]] -= excess_K
    centre_K = logit_NK.nanmean(0).nan_to_num(0.0)
    scores = box_scores(list(drawn.values()), [_judged(gold[row]) for row in drawn], model.labels)
    mean_ap = scores.mean if scores.average_precision else None
    return LearnedBoxes(model, BoxSource(centre_K), (logit_NK - centre_K).nan_to_num(0.0), mean_ap, shop, shop_FNK)


def _judged(gold: Gold) -> GoldPicture:
    """Return what boxes are compared with; of a label that may have more boxes than the gold shows, none is wrong."""
    anywhere = tuple(LabelledBox(label, Box(0.0, 0.0, 1.0, 1.0)) for label in sorted(gold.unknown_boxes | gold.unknown))
    return GoldPicture(tuple(gold.boxes or ()), anywhere)


def _shop(parent: Tagger, problem: Problem) -> tuple[Looks | None, Shop | None, Tensor | None]:
    """Return what the gold that is not held out, and people, teach of the shop: its looks, and it as a source.

    The source comes with its opinions on the pool. All are None where nothing of the kind is to be used.
    """
    if problem.people is None:
        return None, None, None
    gold, tasks = problem.trainable, problem.people.tasks
    lexicon = parent.sources.cues.lexicon
    lesson = Lesson(ShopGold(problem.pool, gold, problem.families, tasks), parent.labels, lexicon)
    looks = lesson.looks(problem.people.said)
    if not problem.people.speaks:
        return looks, None, None
    knowledge = Knowledge(lesson.facts(), problem.people.said)
    families = {tasks[row]: problem.families[row] for row in gold}
    shop = Shop.of(looks, knowledge, parent.labels, lexicon, families)
    return looks, *shop.measured(problem.pool, problem.families, sorted(gold))

"""Supervision: fit the sources, the label model and the regression to gold, and make weak labels for the pool.

Shape suffixes: N items, K classes, D evidence, S sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from model.lexicon.cues import CueSet
from model.problem import GoldTable, Problem
from model.regression.evidence import Evidence
from model.regression.logistic import Regression
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.weak_supervision.credence import Credence
from model.weak_supervision.foreign import heard_in
from model.weak_supervision.industry import IndustryPrior, opinions_among
from model.weak_supervision.label_model import LabelModel, Opinions, WeakLabels
from model.weak_supervision.propagation import Index, votes
from model.weak_supervision.sources import Memory, Sources

FOLDS = 4
"""Parts of the gold for out-of-fold log-odds."""
FOLDS_OF_FEW = 10
"""Parts of few gold items, so that each model still learns from nine tenths of them."""
FEW = 200
"""Up to this many gold items are few."""


@dataclass(frozen=True)
class Supervision:
    """The parts of a tagger that are fitted before its network, and what the network is trained on.

    Args:
        gold: the gold that all parts were fitted to.
        sources, label_model, evidence, regression, credence: parts that serve new items.
        cold_NK: log-odds of the pool by the cues alone.
        base_NK: log-odds of the pool by label model and regression. Those of a gold item come from models that were
            fitted without the item's family. So credence is measured on items that are new to the models, and the
            network learns to correct such errors as the models make on new items.
        weak: weak labels of the pool.
    """

    gold: GoldTable
    sources: Sources
    label_model: LabelModel
    evidence: Evidence
    regression: Regression
    credence: Credence
    cold_NK: Tensor
    base_NK: Tensor
    weak: WeakLabels


def supervise(parent: Tagger, problem: Problem, config: TrainConfig | None = None) -> Supervision:
    """Fit label model, regression and credence to the gold that is not held out, and make weak labels for the pool.

    The cues are the parent's; nothing else depends on earlier trainings. Raises ValueError if the problem's boxes have
    not been learned.

        problem = replace(problem, boxes=learn_boxes(parent, problem, seed=7))
        supervision = supervise(parent, problem)
    """
    config = config or TrainConfig()
    pool, families, cues = problem.pool, problem.families, parent.sources.cues
    gold = problem.table(parent.labels).without(problem.held_out)
    sources, opinions = _opinions(cues, problem, gold, config)
    label_model = LabelModel.fit(opinions, gold.labels_NK, gold.weight_N)
    # Of this pool and not the parent's: what is fitted anew each time must not depend on which items came first.
    evidence = Evidence.of(pool, cues)
    evidence_ND, offset_NK = evidence.vectors(pool, cues), label_model.log_odds(opinions)
    if not config.use_regression:
        evidence_ND = torch.zeros_like(evidence_ND)

    def regression_on(table: GoldTable, offset_NK: Tensor) -> Regression:
        rows = table.rows
        return Regression.fit(evidence_ND[rows], offset_NK[rows], table.labels_NK[rows], table.weight_N[rows])

    regression = regression_on(gold, offset_NK)
    base_NK = offset_NK + regression.log_odds(evidence_ND)
    # A model is better on items that it was fitted to. So the log-odds of gold items come from other models.
    folds = FOLDS_OF_FEW if len(gold.rows) <= FEW else FOLDS
    for rows in family_folds({row: families[row] for row in gold.rows}, folds, parent.seed):
        others = gold.without(rows)
        unseen_NK = LabelModel.fit(opinions, others.labels_NK, gold.weight_N).log_odds(opinions)
        correction = regression_on(others, unseen_NK)
        base_NK[rows] = unseen_NK[rows] + correction.log_odds(evidence_ND[rows])
    weak = label_model.weak_labels(opinions, base_NK - offset_NK)
    cold_NK = sources.cold_log_odds(opinions)
    # A class without cues always has credence 1, so its gold says nothing about how far to leave the cues.
    rows, cued_GK = gold.rows, gold.labels_NK[gold.rows].masked_fill(~cues.has_cues_K, torch.nan)
    credence = Credence.of(cold_NK[rows], base_NK[rows], cued_GK, gold.weight_N[rows])
    return Supervision(gold, sources, label_model, evidence, regression, credence, cold_NK, base_NK, weak)


def _opinions(cues: CueSet, problem: Problem, gold: GoldTable, config: TrainConfig) -> tuple[Sources, Opinions]:
    """Return the sources that serve new items, and the opinions of all sources on the pool.

    The opinions on a gold item come without the gold of the item's family.
    """
    if problem.boxes is None:
        raise ValueError("the problem's boxes have not been learned: give it those of `learn_boxes`")
    pool, families = problem.pool, problem.families
    index = (problem.index or Index.of(pool)).with_gold(gold.rows)
    industries, silent_NK = [item.industry for item in pool], torch.zeros_like(gold.labels_NK)
    memory = None
    if config.use_neighbours and gold.rows:
        # Half precision halves what these vectors take up in a checkpoint.
        vectors_GD = index.neighbours.vectors_ND[gold.rows].half()
        memory = Memory(index.embedding, vectors_GD, gold.labels_NK[gold.rows].float())
    prior = IndustryPrior.of(industries, gold.labels_NK) if config.use_industry else None
    sources = Sources(cues, memory, prior, heard_in(pool), problem.boxes.shop)
    # A source that is switched off keeps its place with opinions of 0, so that the label model has all sources.
    opinions = sources.together(
        pool,
        votes(index.neighbours, gold.labels_NK, families) if config.use_neighbours else silent_NK,
        opinions_among(industries, gold.labels_NK, families) if config.use_industry else silent_NK,
        problem.boxes.opinions_NK if config.use_boxes else silent_NK,
        problem.boxes.shop_FNK,
    )
    return sources, opinions


def family_folds(families: Mapping[int, str], folds: int, seed: int) -> list[list[int]]:
    """Return the rows in at most ``folds`` parts of similar size. No family is split, and no part is empty."""
    members: dict[str, list[int]] = {}
    for row, family in families.items():
        members.setdefault(family, []).append(row)
    names = sorted(members)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    # The largest families first, each to the smallest part; the seed decides among families of equal size.
    parts: list[list[int]] = [[] for _ in range(min(folds, len(names)))]
    for name in sorted((names[place] for place in order), key=lambda name: -len(members[name])):
        min(parts, key=len).extend(members[name])
    return [sorted(part) for part in parts]

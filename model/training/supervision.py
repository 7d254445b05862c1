"""From gold to supervision: what each source says of the pool, how far gold supports it, and the weak labels.

Shape suffixes: N items, K classes, D evidence, S sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from model.problem import GoldTable, Problem
from model.regression.evidence import Evidence
from model.regression.logistic import Regression
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.weak_supervision.credence import Credence
from model.weak_supervision.industry import IndustryPrior, opinions_among
from model.weak_supervision.label_model import LabelModel, WeakLabels
from model.weak_supervision.propagation import Index, votes
from model.weak_supervision.sources import Memory, Sources

FOLDS = 4


@dataclass(frozen=True)
class Supervision:
    """What the network's training starts from.

    ``sources``, ``label_model``, ``evidence``, ``regression`` and ``credence`` serve new items. ``gold`` is the gold
    that all of them were fitted to. ``cold_NK`` are the log-odds of the cues, ``base_NK`` those of the pool before the
    network. On gold items ``base_NK`` comes from a label model and a regression that have not seen the item's family:
    the network learns to correct what it will meet, not what was fitted, and credence is measured on new items.
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
    """Ask the sources about the pool, weigh them by the gold that is not held out, correct them by regression.

    Cues and evidence are the parent's. Raises ValueError for a problem whose boxes have not been learned.
    """
    config = config or TrainConfig()
    if problem.boxes is None:
        raise ValueError("the problem's boxes have not been learned: give it those of `learn_boxes`")
    pool, families, cues = problem.pool, problem.families, parent.sources.cues
    gold = problem.table(parent.labels).without(problem.held_out)
    index = (problem.index or Index.of(pool)).with_gold(gold.rows)
    industries, silent_NK = [item.industry for item in pool], torch.zeros_like(gold.labels_NK)

    memory = None
    if config.use_neighbours and gold.rows:
        vectors_GD = index.neighbours.vectors_ND[gold.rows].half()
        memory = Memory(index.embedding, vectors_GD, gold.labels_NK[gold.rows].float())
    prior = IndustryPrior.of(industries, gold.labels_NK) if config.use_industry else None
    sources = Sources(cues, memory, prior)
    opinions = sources.together(
        pool,
        votes(index.neighbours, gold.labels_NK, families) if config.use_neighbours else silent_NK,
        opinions_among(industries, gold.labels_NK, families) if config.use_industry else silent_NK,
        problem.boxes.opinions_NK if config.use_boxes else silent_NK,
    )
    label_model = LabelModel.fit(opinions, gold.labels_NK, gold.weight_N)
    evidence = parent.evidence or Evidence.of(pool, cues)
    evidence_ND, offset_NK = evidence.vectors(pool, cues), label_model.log_odds(opinions)
    if not config.use_regression:
        evidence_ND = torch.zeros_like(evidence_ND)

    def regression_on(table: GoldTable, offset_NK: Tensor) -> Regression:
        rows = table.rows
        return Regression.fit(evidence_ND[rows], offset_NK[rows], table.labels_NK[rows], table.weight_N[rows])

    regression = regression_on(gold, offset_NK)
    base_NK = offset_NK + regression.log_odds(evidence_ND)
    for rows in family_folds({row: families[row] for row in gold.rows}, FOLDS, parent.seed):
        others = gold.without(rows)
        unseen_NK = LabelModel.fit(opinions, others.labels_NK, gold.weight_N).log_odds(opinions)
        correction = regression_on(others, unseen_NK)
        base_NK[rows] = unseen_NK[rows] + correction.log_odds(evidence_ND[rows])
    weak = label_model.weak_labels(opinions, base_NK - offset_NK)
    cold_NK = sources.cold_log_odds(opinions)
    # Only classes with cues have something to overrule, so only they are measured.
    told_K, rows = cues.has_cues_K, gold.rows
    credence = Credence.of(
        cold_NK[rows][:, told_K], base_NK[rows][:, told_K], gold.labels_NK[rows][:, told_K], gold.weight_N[rows]
    )
    return Supervision(gold, sources, label_model, evidence, regression, credence, cold_NK, base_NK, weak)


def family_folds(families: Mapping[int, str], folds: int, seed: int) -> list[list[int]]:
    """Rows in at most ``folds`` parts of like size; a family is never split, and each part has rows."""
    members: dict[str, list[int]] = {}
    for row, family in families.items():
        members.setdefault(family, []).append(row)
    names = sorted(members)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    parts: list[list[int]] = [[] for _ in range(min(folds, len(names)))]
    for name in sorted((names[place] for place in order), key=lambda name: -len(members[name])):
        min(parts, key=len).extend(members[name])
    return [sorted(part) for part in parts]

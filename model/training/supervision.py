"""From gold to supervision: what each source says of the pool, how far gold supports it, and what the network may
learn from.

Shape suffixes: N items, K classes, S sources.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.items import Gold
from model.lexicon.cues import CueSet
from model.regression.evidence import Evidence
from model.regression.logistic import Regression
from model.tagger import Tagger
from model.weak_supervision.boxes import LearnedBoxes
from model.weak_supervision.credence import credence
from model.weak_supervision.industry import IndustryPrior, opinions_among
from model.weak_supervision.label_model import LabelModel, WeakLabels
from model.weak_supervision.propagation import FusedSpace, Neighbours, votes
from model.weak_supervision.sources import Memory, Sources

FOLDS = 4


@dataclass(frozen=True)
class GoldTable:
    """Gold as a table over the pool: 1, 0, or NaN where nobody knows; agreement of the annotators in (0, 1]."""

    labels_NK: Tensor
    weight_N: Tensor

    @classmethod
    def of(cls, gold: Mapping[int, Gold], labels: Sequence[str], items: int) -> "GoldTable":
        """Labels that the project no longer has are left out."""
        labels_NK = torch.full((items, len(labels)), torch.nan, dtype=torch.float64)
        weight_N = torch.ones(items, dtype=torch.float64)
        for row, said in gold.items():
            known = [said.says(label) for label in labels]
            labels_NK[row] = torch.tensor([torch.nan if yes is None else float(yes) for yes in known])
            weight_N[row] = said.weight
        return cls(labels_NK, weight_N)

    @property
    def rows(self) -> list[int]:
        """Rows of which something is known."""
        known: list[int] = (~self.labels_NK.isnan().all(1)).nonzero()[:, 0].tolist()
        return known

    def unlearnable(self, labels: Sequence[str]) -> dict[str, str]:
        """Labels that nothing can be learned of yet → what is missing; cues, priors and boxes alone answer them."""
        known_NK = ~self.labels_NK.isnan()
        positive_K, negative_K = (self.labels_NK == 1).sum(0), (self.labels_NK == 0).sum(0)
        items = int(known_NK.any(1).sum())
        missing = {
            label: f"none of {items} gold items has it" if not yes else f"all of {items} gold items have it"
            for label, yes, no in zip(labels, positive_K.tolist(), negative_K.tolist(), strict=True)
            if not (yes and no)
        }
        return missing if items else dict.fromkeys(labels, "there is no gold")

    def without(self, rows: Sequence[int]) -> "GoldTable":
        """The table as if these rows had no gold."""
        labels_NK = self.labels_NK.clone()
        labels_NK[list(rows)] = torch.nan
        return GoldTable(labels_NK, self.weight_N)


@dataclass(frozen=True)
class Supervision:
    """What the network's training starts from.

    ``sources``, ``label_model``, ``evidence``, ``regression`` and ``credence`` serve new items. ``base_NK`` are the
    pool's log-odds before the network; on gold items they come from a label model and a regression that have not seen
    the item's family, so that the network learns to correct what it will meet, not what was fitted, and that credence
    is given for what is new. ``cold_NK`` are the cues' log-odds.
    """

    sources: Sources
    label_model: LabelModel
    evidence: Evidence
    regression: Regression
    credence: float
    cold_NK: Tensor
    base_NK: Tensor
    weak: WeakLabels


def supervise(
    served: Tagger,
    pool: Sequence[ItemFeatures],
    gold: GoldTable,
    *,
    families: Sequence[str],
    neighbours: Neighbours | None = None,
    space: FusedSpace | None = None,
    boxes: LearnedBoxes | None = None,
    use_neighbours: bool = True,
    use_industry: bool = True,
    use_regression: bool = True,
) -> Supervision:
    """Ask the sources about the pool, weigh them by gold, correct them by regression.

    ``neighbours`` in ``space`` spare the search when the caller keeps them; both or neither. Without ``boxes`` that
    source is silent. The switches are for ablation.
    """
    space = space or FusedSpace.of(pool)
    neighbours = (neighbours or Neighbours.empty(space.vectors(pool))).with_gold(gold.rows)
    cues = served.sources.cues
    industries, silent_NK = [item.industry for item in pool], torch.zeros_like(gold.labels_NK)
    sources = Sources(
        cues,
        _memory(space, neighbours, gold) if use_neighbours else None,
        IndustryPrior.of(industries, gold.labels_NK) if use_industry else None,
    )
    votes_NK = votes(neighbours, gold.labels_NK, families) if use_neighbours else silent_NK
    industry_NK = opinions_among(industries, gold.labels_NK, families) if use_industry else silent_NK
    opinions = sources.together(pool, votes_NK, industry_NK, boxes.opinions_NK if boxes else silent_NK)
    label_model = LabelModel.fit(opinions, gold.labels_NK, gold.weight_N)
    evidence = served.evidence or Evidence.of(pool, cues)
    evidence_ND, offset_NK = evidence.vectors(pool, cues), label_model.log_odds(opinions)
    if not use_regression:
        evidence_ND = torch.zeros_like(evidence_ND)
    regression = _regression(evidence_ND, offset_NK, gold)
    base_NK = offset_NK + regression.log_odds(evidence_ND)
    for rows in family_folds({row: families[row] for row in gold.rows}, FOLDS, served.seed):
        others = gold.without(rows)
        unseen_NK = LabelModel.fit(opinions, others.labels_NK, gold.weight_N).log_odds(opinions)
        correction = _regression(evidence_ND, unseen_NK, others)
        base_NK[rows] = unseen_NK[rows] + correction.log_odds(evidence_ND[rows])
    weak = label_model.weak_labels(opinions, base_NK - offset_NK)
    cold_NK = sources.cold_log_odds(opinions)
    trust = _credence(cues, cold_NK, base_NK, gold)
    return Supervision(sources, label_model, evidence, regression, trust, cold_NK, base_NK, weak)


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


def _credence(cues: CueSet, cold_NK: Tensor, base_NK: Tensor, gold: GoldTable) -> float:
    """By the classes that have cues: the others have nobody to overrule."""
    told, rows = cues.has_cues_K, gold.rows
    return credence(cold_NK[rows][:, told], base_NK[rows][:, told], gold.labels_NK[rows][:, told], gold.weight_N[rows])


def _regression(evidence_ND: Tensor, offset_NK: Tensor, gold: GoldTable) -> Regression:
    index = gold.rows
    return Regression.fit(evidence_ND[index], offset_NK[index], gold.labels_NK[index], gold.weight_N[index])


def _memory(space: FusedSpace, neighbours: Neighbours, gold: GoldTable) -> Memory | None:
    rows = gold.rows
    if not rows:
        return None
    return Memory(space, neighbours.vectors_ND[rows].half(), gold.labels_NK[rows].float())

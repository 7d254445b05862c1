import pytest
import torch

from model.items import Gold
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from model.training.supervision import family_folds, supervise
from model.weak_supervision.boxes import LearnedBoxes
from testing.shop import LABELS, SMALL


def test_folds_keep_families_whole() -> None:
    families = {row: f"p{row // 3}" for row in range(30)}
    folds = family_folds(families, 4, seed=1)
    assert sorted(row for fold in folds for row in fold) == list(range(30))
    assert all(
        len({families[row] for row in fold} & {families[row] for row in other}) == 0
        for fold in folds
        for other in folds
        if fold is not other
    )
    assert family_folds({0: "a"}, 4, seed=1) == [[0]]


def test_what_the_network_starts_from_has_not_seen_the_gold_of_its_family() -> None:
    items, _, families = SMALL.pool(60)
    chance_NK = torch.rand(len(items), len(LABELS), generator=torch.Generator().manual_seed(5)) < 0.5
    gold = {row: Gold(frozenset(label for label, has in zip(LABELS, chance_K, strict=True) if has))
            for row, chance_K in enumerate(chance_NK.tolist())}  # fmt: skip
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    silent = LearnedBoxes.silent(len(items), len(LABELS))
    problem = Problem(items, gold, families, boxes=silent)
    found = supervise(cold, problem, TrainConfig(use_neighbours=False, use_industry=False))
    opinions = found.sources.opinions(items, silent.opinions_NK)
    evidence_ND = found.evidence.vectors(items, found.sources.cues)
    fitted_NK = found.label_model.log_odds(opinions) + found.regression.log_odds(evidence_ND)
    assert agreement(fitted_NK, chance_NK) > 0.1, "what was fitted knows its own gold by heart"
    assert agreement(found.base_NK, chance_NK) < 0.05, "of gold that follows no rule the others' gold tells nothing"


def test_supervision_does_not_depend_on_the_pools_of_earlier_trainings() -> None:
    items, gold, families = SMALL.pool(40)
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)

    def problem(count: int) -> Problem:
        known = {row: said for row, said in gold.items() if row < count}
        return Problem(items[:count], known, families[:count], boxes=LearnedBoxes.silent(count, len(LABELS)))

    parent = fit(cold, problem(12), TrainConfig(use_network=False))
    assert parent.evidence is not None
    fresh, later = supervise(cold, problem(40)), supervise(parent, problem(40))
    assert torch.allclose(later.base_NK, fresh.base_NK, atol=1e-6)
    assert torch.allclose(later.weak.probability_NK, fresh.weak.probability_NK, atol=1e-6)


def agreement(log_odds_NK: torch.Tensor, labels_NK: torch.Tensor) -> float:
    """How much more probable labels are on items that have them than on the others."""
    probability_NK = torch.sigmoid(log_odds_NK)
    return float(probability_NK[labels_NK].mean() - probability_NK[~labels_NK].mean())


def test_boxes_come_first() -> None:
    items, gold, families = SMALL.pool(4)
    cold = Tagger.cold_start(LABELS, space="space", seed=3)
    with pytest.raises(ValueError, match="learn_boxes"):
        supervise(cold, Problem(items, gold, families))

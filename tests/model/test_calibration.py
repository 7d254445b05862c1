import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from model.calibration import FEWEST_TO_SCALE, LEAST, USUAL, Calibration


def sample(items: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(N, 2) log-odds and gold: those of the first class are twice too sure and those of the second too low by one."""
    random = torch.Generator().manual_seed(seed)
    true_NK = 2 * torch.randn(items, 2, generator=random, dtype=torch.float64)
    gold_NK = (torch.rand(items, 2, generator=random) < torch.sigmoid(true_NK)).double()
    return torch.stack([2 * true_NK[:, 0], true_NK[:, 1] - 1], dim=1), gold_NK


def loss(calibration: Calibration, items: tuple[Tensor, Tensor]) -> float:
    log_odds_NK, gold_NK = items
    return float(binary_cross_entropy(calibration.probability(log_odds_NK), gold_NK))


def test_probabilities_are_scaled_by_what_gold_shows() -> None:
    log_odds_HK, gold_HK = sample(2000)
    calibration = Calibration.of(log_odds_HK, log_odds_HK, gold_HK)
    assert calibration.slope_K.tolist() == pytest.approx([0.5, 1.0], abs=0.1)
    assert calibration.shift_K.tolist() == pytest.approx([0.0, 1.0], abs=0.2)
    new = sample(2000, seed=1)
    assert loss(calibration, new) < loss(Calibration.neutral(2), new) - 0.03


@pytest.mark.parametrize("seed", range(5))
def test_the_fewest_gold_items_do_no_harm(seed: int) -> None:
    """The prior holds the scaling where so few cannot tell it from chance: here the log-odds are right as they are."""
    log_odds_HK, gold_HK = sample(FEWEST_TO_SCALE, seed)
    true_HK = torch.stack([log_odds_HK[:, 0] / 2, log_odds_HK[:, 1] + 1], dim=1)
    calibration = Calibration.of(true_HK, true_HK, gold_HK)
    log_odds_NK, gold_NK = sample(2000, seed=99)
    new = torch.stack([log_odds_NK[:, 0] / 2, log_odds_NK[:, 1] + 1], dim=1), gold_NK
    assert loss(calibration, new) < loss(Calibration.neutral(2), new) + 0.015


def test_without_enough_gold_log_odds_are_taken_as_they_are() -> None:
    pool_NK, _ = sample(50)
    few_NK = (pool_NK[: FEWEST_TO_SCALE - 1] < 0).double()  # all against what was said, and still too few to tell
    for gold_HK in (torch.zeros(0, 2), torch.full((3, 2), torch.nan), few_NK):
        calibration = Calibration.of(pool_NK, pool_NK[: len(gold_HK)], gold_HK)
        assert torch.equal(calibration.probability(pool_NK), torch.sigmoid(pool_NK))
        assert torch.equal(calibration.threshold_K, Calibration.expected(torch.sigmoid(pool_NK)).threshold_K)


def test_gold_against_everything_never_turns_an_order_round() -> None:
    log_odds_HK = torch.linspace(-4, 4, 400, dtype=torch.float64)[:, None]
    calibration = Calibration.of(log_odds_HK, log_odds_HK, (log_odds_HK < 0).double())
    assert (calibration.probability(log_odds_HK).diff(dim=0) > 0).all()


def test_a_class_without_both_answers_stays_finite() -> None:
    log_odds_HK, _ = sample(60)
    calibration = Calibration.of(log_odds_HK, log_odds_HK, torch.tensor([[1.0, torch.nan]] * 60))
    assert all(torch.isfinite(value).all() for value in vars(calibration).values())
    assert (float(calibration.slope_K[1]), float(calibration.shift_K[1])) == (1.0, 0.0)


def test_thresholds_follow_plenty_of_gold_and_hardly_a_little() -> None:
    gold_NK = (torch.arange(400) % 2 == 0).double()[:, None]
    shifted_NK = torch.logit(torch.where(gold_NK > 0, 0.34, 0.26).double())
    usual = Calibration.neutral(1)
    many = usual.fitted(shifted_NK, gold_NK)
    few = usual.fitted(shifted_NK[:4], gold_NK[:4])
    assert 0.26 < float(many.threshold_K) < 0.36
    assert abs(float(few.threshold_K) - USUAL) < 0.02
    assert float(usual.fitted(shifted_NK[:1], gold_NK[:1]).threshold_K) == USUAL


def test_without_gold_thresholds_are_those_of_the_best_expected_f1() -> None:
    sure_NK = torch.tensor([[0.9, 0.1]] * 10 + [[0.1, 0.1]] * 10).double()
    # 10 given of 10 expected 9: F1 18 / 20; with all of the second class given, 2 · 2 / 22, below the floor.
    assert Calibration.expected(sure_NK).threshold_K.tolist() == pytest.approx([0.45, LEAST])
    assert Calibration.expected(sure_NK[:0]).threshold_K.tolist() == [USUAL, USUAL]


def test_a_class_whose_probabilities_all_sink_is_still_given() -> None:
    doubtful_NK = torch.tensor([[0.4]] * 8 + [[0.02]] * 12).double()
    assert Calibration.expected(doubtful_NK).decide(doubtful_NK).sum() == 8

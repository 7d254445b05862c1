import numpy as np
import pytest

from worker.promotion.gate import Booleans, JudgedAnswers, is_enough, judge

CLASSES = 5


def gold(items: int, seed: int = 0) -> Booleans:
    made: Booleans = np.random.default_rng(seed).random((items, CLASSES)) < 0.4
    return made


def with_errors(truth: Booleans, share: float, seed: int) -> Booleans:
    flipped: Booleans = truth ^ (np.random.default_rng(seed).random(truth.shape) < share)
    return flipped


def evidence(truth: Booleans, served: Booleans, candidate: Booleans) -> JudgedAnswers:
    return JudgedAnswers(
        "held-out",
        truth,
        np.ones_like(truth),
        served,
        candidate,
        [f"f{row // 2}" for row in range(len(truth))],
        np.ones(len(truth), dtype=bool),
    )


def test_a_better_version_is_accepted_and_a_shuffled_one_refused() -> None:
    truth = gold(80)
    served = with_errors(truth, 0.2, 1)
    better = judge(evidence(truth, served, with_errors(truth, 0.05, 2)), must_gain=True)
    assert better.accepted
    assert better.metrics["macro_f1"] > better.metrics["served_macro_f1"]
    shuffled = truth[np.random.default_rng(3).permutation(len(truth))]
    worse = judge(evidence(truth, served, shuffled), must_gain=False)
    assert not worse.accepted
    assert "may be worse" in worse.reason


def test_an_equal_version_is_not_worse_but_gains_nothing() -> None:
    truth = gold(60)
    served = with_errors(truth, 0.1, 1)
    assert judge(evidence(truth, served, served), must_gain=False).accepted
    assert not judge(evidence(truth, served, served), must_gain=True).accepted


def test_a_loss_beyond_the_margin_is_refused_however_small_the_noise() -> None:
    truth = gold(1500)
    assert not judge(evidence(truth, truth, with_errors(truth, 0.04, 1)), must_gain=False).accepted
    assert judge(evidence(truth, truth, with_errors(truth, 0.005, 1)), must_gain=False).accepted


def test_few_items_cannot_show_that_a_slightly_worse_version_is_harmless() -> None:
    truth = gold(40)
    assert not judge(evidence(truth, with_errors(truth, 0.1, 1), with_errors(truth, 0.12, 2)), must_gain=False).accepted


@pytest.mark.parametrize(("items", "named"), [(39, False), (40, True)])
def test_a_macro_f1_of_few_items_is_not_named(items: int, named: bool) -> None:
    truth = gold(items)
    verdict = judge(evidence(truth, truth, truth), must_gain=False)
    assert ("macro-F1 1.000 after" in verdict.reason) == named
    assert (f"{items} held-out items, too few for a macro-F1" in verdict.reason) != named
    assert verdict.metrics["items"] == items


def test_nothing_to_judge_by_is_no_permission() -> None:
    none = gold(0)
    assert not judge(evidence(none, none, none), must_gain=False).accepted


@pytest.mark.parametrize(
    ("items", "positives", "expected"), [(40, 5, True), (39, 20, False), (60, 4, False), (400, 5, True)]
)
def test_held_out_gold_decides_when_there_is_enough(items: int, positives: int, expected: bool) -> None:
    held_out = np.ones((items, CLASSES), dtype=bool)
    held_out[positives:, 2] = False
    everything = np.ones((items + 100, CLASSES), dtype=bool)
    assert is_enough(held_out, everything) == expected


def test_a_class_that_is_never_used_asks_for_nothing() -> None:
    held_out = np.ones((50, CLASSES), dtype=bool)
    held_out[:, 4] = False
    assert is_enough(held_out, held_out)

from dataclasses import replace

import numpy as np
import pytest

from worker.promotion.gate import Answers, Booleans, JudgedAnswers, is_enough, judge

CLASSES = 5


def gold(items: int, seed: int = 0) -> Booleans:
    made: Booleans = np.random.default_rng(seed).random((items, CLASSES)) < 0.4
    return made


def with_errors(truth: Booleans, share: float, seed: int) -> Booleans:
    flipped: Booleans = truth ^ (np.random.default_rng(seed).random(truth.shape) < share)
    return flipped


def sure(given: Booleans, probability: float = 0.8) -> Answers:
    """Answers that are equally sure of all that they give and don't give."""
    return Answers(given.copy(), np.where(given, probability, 1 - probability))


def evidence(truth: Booleans, served: Booleans | Answers, candidate: Booleans | Answers) -> JudgedAnswers:
    return JudgedAnswers(
        "held-out",
        ("A", "B", "C", "D", "E"),
        truth,
        np.ones_like(truth),
        served if isinstance(served, Answers) else sure(served),
        candidate if isinstance(candidate, Answers) else sure(candidate),
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
    assert judge(evidence(truth, truth, with_errors(truth, 0.001, 1)), must_gain=False).accepted


def test_a_slightly_worse_version_is_refused_on_few_items_too() -> None:
    truth = gold(40)
    assert not judge(evidence(truth, with_errors(truth, 0.1, 1), with_errors(truth, 0.14, 2)), must_gain=False).accepted


def test_a_dozen_items_are_enough_for_a_version_that_is_surer_of_what_is_right() -> None:
    """Its labels are the same but for one; by the interval of macro-F1 it could be much worse."""
    truth = gold(12)
    served = with_errors(truth, 0.2, 1)
    candidate = served.copy()
    right = np.argwhere(served == truth)[0]
    candidate[tuple(right)] ^= True
    better = np.where(truth == candidate, 0.9, 0.6)
    verdict = judge(
        evidence(truth, sure(served), Answers(candidate, np.where(candidate, better, 1 - better))), must_gain=False
    )
    assert verdict.metrics["lower_bound"] < -0.02
    assert verdict.metrics["log_loss"] < verdict.metrics["served_log_loss"]
    assert verdict.accepted == (verdict.metrics["difference"] >= -0.02)


def test_a_version_that_gives_the_same_labels_with_worse_probabilities_is_refused() -> None:
    truth = gold(40)
    served = with_errors(truth, 0.2, 1)
    verdict = judge(evidence(truth, sure(served), sure(served, 0.95)), must_gain=False)
    assert not verdict.accepted
    assert "may be worse, the log loss rises" in verdict.reason
    assert judge(evidence(truth, sure(served, 0.95), sure(served)), must_gain=False).accepted


def test_a_spoilt_label_is_seen_behind_the_gains_of_all_others() -> None:
    truth = gold(40)
    served = sure(with_errors(truth, 0.2, 1))
    candidate = sure(truth, 0.9)
    candidate.given_NK[:, 3], candidate.probability_NK[:, 3] = ~served.given_NK[:, 3], 1 - served.probability_NK[:, 3]
    verdict = judge(evidence(truth, served, candidate), must_gain=False)
    assert verdict.metrics["difference"] > 0
    assert verdict.metrics["log_loss"] < verdict.metrics["served_log_loss"]
    assert not verdict.accepted
    assert "may be worse, D is given wrongly more often" in verdict.reason


def test_one_sure_error_of_a_label_is_no_spoilt_label() -> None:
    truth = gold(40)
    served, candidate = sure(truth, 0.9), sure(truth, 0.9)
    candidate.given_NK[0, 3] = not truth[0, 3]
    candidate.probability_NK[0, 3] = 0.03 if truth[0, 3] else 0.97
    assert judge(evidence(truth, served, candidate), must_gain=False).accepted


def test_one_label_may_be_too_sure_where_it_is_not_more_often_wrong() -> None:
    truth = gold(40)
    served = sure(with_errors(truth, 0.2, 1))
    candidate = sure(truth, 0.9)
    candidate.given_NK[:, 3] = served.given_NK[:, 3]
    candidate.probability_NK[:, 3] = np.where(served.given_NK[:, 3], 0.99, 0.01)
    verdict = judge(evidence(truth, served, candidate), must_gain=False)
    served_loss_NK, loss_NK = evidence(truth, served, candidate).losses()
    assert loss_NK[:, 3].sum() > served_loss_NK[:, 3].sum() + 0.05 * 50
    assert verdict.accepted


def test_one_sure_error_does_not_decide() -> None:
    truth = gold(40)
    served = sure(with_errors(truth, 0.2, 1))
    candidate = sure(truth)
    candidate.given_NK[0, 0] = not truth[0, 0]
    candidate.probability_NK[0, 0] = 0.0 if truth[0, 0] else 1.0
    assert judge(evidence(truth, served, candidate), must_gain=True).accepted


def test_answers_to_unknown_gold_count_neither_way() -> None:
    truth = gold(40)
    known = np.ones_like(truth)
    known[:, 2] = False
    served, candidate = sure(truth), sure(truth)
    candidate.given_NK[:, 2] = ~truth[:, 2]
    candidate.probability_NK[:, 2] = 1 - candidate.probability_NK[:, 2]
    whole = evidence(truth, served, candidate)
    assert not judge(whole, must_gain=False).accepted
    assert judge(replace(whole, known_NK=known), must_gain=False).accepted


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

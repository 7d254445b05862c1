"""Credence follows what was right on gold, from what so much gold is worth."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.weak_supervision.credence import HALF_CREDENCE, Credence, prior_credence


def sure(gold_GK: Tensor, strength: float = 2.0) -> Tensor:
    """Log-odds that are right."""
    return strength * (2 * gold_GK - 1)


def random_gold(items: int) -> Tensor:
    return torch.randint(2, (items, 5), generator=torch.Generator().manual_seed(items)).double()


def test_the_prior_is_half_at_its_half_and_grows() -> None:
    assert prior_credence(0) == 0
    assert prior_credence(HALF_CREDENCE) == 0.5
    assert prior_credence(500) > 0.99


def test_a_dozen_gold_labels_that_favour_nobody_leave_the_prior() -> None:
    gold_GK = random_gold(12)
    equal = Credence.of(sure(gold_GK), sure(gold_GK), gold_GK, torch.ones(12)).share
    assert prior_credence(12) < equal < 0.35  # the prior cut off at 0


def test_who_is_right_on_what_he_has_not_seen_is_believed_sooner() -> None:
    gold_GK, one_G = random_gold(12), torch.ones(12)
    right, wrong = sure(gold_GK), sure(gold_GK, -2.0)
    assert Credence.of(wrong, right, gold_GK, one_G).share > 0.7
    assert Credence.of(right, wrong, gold_GK, one_G).share < 0.1


def test_much_gold_may_still_show_that_cues_are_better() -> None:
    gold_GK = random_gold(200)
    assert Credence.of(sure(gold_GK), sure(gold_GK, -2.0), gold_GK, torch.ones(200)).share < 0.1


def test_unknown_gold_and_weightless_gold_say_nothing() -> None:
    gold_GK, one_G = random_gold(30), torch.ones(30)
    right, wrong = sure(gold_GK), sure(gold_GK, -2.0)
    unknown_GK = torch.full_like(gold_GK, torch.nan)
    prior = Credence.of(right, right, gold_GK, one_G).share
    assert Credence.of(right, wrong, unknown_GK, one_G).share == prior
    assert Credence.of(right, wrong, gold_GK, 0 * one_G).share == prior


@given(st.integers(0, 40), st.floats(-30, 30), st.floats(-30, 30))
def test_it_is_a_share_whatever_the_log_odds(items: int, cold: float, trained: float) -> None:
    gold_GK = random_gold(items)
    found = Credence.of(
        torch.full_like(gold_GK, cold), torch.full_like(gold_GK, trained), gold_GK, torch.ones(items)
    ).share
    assert 0 <= found <= 1

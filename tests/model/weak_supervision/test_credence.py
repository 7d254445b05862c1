"""Credence follows what was right on gold, from what the cues have lost on it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.state import State
from model.weak_supervision.credence import HALF_LOSS, Credence, prior_credence


def sure(gold_GK: Tensor, strength: float = 2.0) -> Tensor:
    """Log-odds that are right."""
    return strength * (2 * gold_GK - 1)


def random_gold(items: int) -> Tensor:
    return torch.randint(2, (items, 5), generator=torch.Generator().manual_seed(items)).double()


def test_the_prior_is_half_at_its_half_and_grows() -> None:
    assert prior_credence(0) == 0
    assert prior_credence(HALF_LOSS) == 0.5
    assert prior_credence(80) > 0.99


def test_gold_on_which_the_cues_lose_little_leaves_them_in_charge() -> None:
    gold_GK = random_gold(12)
    found = Credence.of(sure(gold_GK), sure(gold_GK), gold_GK, torch.ones(12)).shares
    assert found == pytest.approx([0.25] * 5, abs=0.1)  # the prior cut off at 0


def test_the_same_gold_moves_credence_further_where_the_cues_are_unsure() -> None:
    gold_GK, one_G = random_gold(12), torch.ones(12)
    unsure = 0 * gold_GK
    found = Credence.of(unsure, unsure, gold_GK, one_G).shares
    assert found == pytest.approx([prior_credence(12 * 0.693)] * 5, abs=0.1)
    assert min(found) > 0.6


def test_who_is_right_on_what_he_has_not_seen_is_believed_sooner() -> None:
    gold_GK, one_G = random_gold(12), torch.ones(12)
    right, wrong = sure(gold_GK), sure(gold_GK, -2.0)
    assert min(Credence.of(wrong, right, gold_GK, one_G).shares) > 0.7
    assert max(Credence.of(right, wrong, gold_GK, one_G).shares) < 0.15


def test_much_gold_may_still_show_that_cues_are_better() -> None:
    gold_GK = random_gold(200)
    assert max(Credence.of(sure(gold_GK), sure(gold_GK, -2.0), gold_GK, torch.ones(200)).shares) < 0.1


def test_a_class_whose_cues_are_right_keeps_them_while_others_leave_theirs() -> None:
    gold_GK, one_G = random_gold(100), torch.ones(100)
    right, wrong = sure(gold_GK), sure(gold_GK, -2.0)
    cold_GK, trained_GK = wrong.clone(), right.clone()
    cold_GK[:, 2], trained_GK[:, 2] = right[:, 2], wrong[:, 2]
    shares = Credence.of(cold_GK, trained_GK, gold_GK, one_G).shares
    assert shares[2] < 0.5
    assert min(shares[:2] + shares[3:]) > 0.9


def test_unknown_gold_and_weightless_gold_say_nothing() -> None:
    gold_GK, one_G = random_gold(30), torch.ones(30)
    right, wrong = sure(gold_GK), sure(gold_GK, -2.0)
    unknown_GK = torch.full_like(gold_GK, torch.nan)
    nothing = Credence.of(right[:0], wrong[:0], gold_GK[:0], one_G[:0])
    assert Credence.of(right, wrong, unknown_GK, one_G) == nothing
    assert Credence.of(right, wrong, gold_GK, 0 * one_G) == nothing


def test_a_class_of_which_nothing_is_known_has_the_credence_of_all() -> None:
    gold_GK, one_G = random_gold(60), torch.ones(60)
    gold_GK[:, 1] = torch.nan
    shares = Credence.of(sure(gold_GK.nan_to_num(0), -2.0), sure(gold_GK.nan_to_num(0)), gold_GK, one_G).shares
    assert shares[1] > 0.8


def test_one_number_of_an_older_release_is_that_of_every_class() -> None:
    assert Credence.from_state(State(facts={"labels": ["a", "b"], "credence": 0.25})) == Credence((0.25, 0.25))
    learned = Credence((0.25, 0.5))
    assert Credence.from_state(State.joined([State(facts={"labels": ["a", "b"]}), learned.state()])) == learned


@given(st.integers(0, 40), st.floats(-30, 30), st.floats(-30, 30))
def test_it_is_a_share_whatever_the_log_odds(items: int, cold: float, trained: float) -> None:
    gold_GK = random_gold(items)
    found = Credence.of(torch.full_like(gold_GK, cold), torch.full_like(gold_GK, trained), gold_GK, torch.ones(items))
    assert all(0 <= share <= 1 for share in found.shares)

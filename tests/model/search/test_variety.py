"""Recommendations: relevant first, and unlike each other."""

import torch
from torch.nn.functional import normalize

from model.search.variety import interest, relevance, varied


def test_equal_candidates_do_not_follow_each_other() -> None:
    candidates_ND = normalize(
        torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.01, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]), dim=1
    )
    relevance_N = torch.tensor([0.9, 0.89, 0.8, 0.1])
    assert varied(candidates_ND, relevance_N, 3, share=1.0) == [0, 1, 2]
    assert varied(candidates_ND, relevance_N, 3, share=0.5) == [0, 2, 3]
    assert varied(candidates_ND, relevance_N, 9, share=0.5) == [0, 2, 3, 1]


def test_a_purchase_and_a_late_look_count_more() -> None:
    vectors_SD = torch.eye(3)
    none_S, first_S = torch.zeros(3, dtype=torch.bool), torch.tensor([True, False, False])
    looked = interest(vectors_SD, none_S)
    assert looked[2] > looked[1] > looked[0]
    assert interest(vectors_SD, first_S).argmax() == 0
    assert relevance(torch.eye(3), vectors_SD, none_S).argmax() == 2


def test_ten_thousand_looks_cost_no_more_than_the_last_hundred() -> None:
    vectors_SD = torch.randn(10_000, 8, generator=torch.Generator().manual_seed(0))
    bought_S = torch.zeros(10_000, dtype=torch.bool)
    assert torch.equal(interest(vectors_SD, bought_S), interest(vectors_SD[-100:], bought_S[-100:]))

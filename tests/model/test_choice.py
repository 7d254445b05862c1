"""The order in which items are best labelled."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.choice import order_of


def vectors(*places: int) -> Tensor:
    """Unit vectors, each in a direction of its own; equal places are duplicates."""
    return torch.eye(max(places) + 1)[list(places)]


def test_what_the_model_is_sure_of_comes_last() -> None:
    likely_NK = torch.tensor([[0.999, 0.001], [0.5, 0.4], [0.995, 0.002], [0.45, 0.55]])
    order = order_of(likely_NK, vectors(0, 1, 2, 3), ["a", "b", "c", "d"])
    assert set(order[:2]) == {1, 3}
    assert sorted(order) == [0, 1, 2, 3]


def test_a_duplicate_does_not_follow_its_twin() -> None:
    likely_NK = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.4, 0.45], [0.3, 0.4]])
    for seed in range(20):
        order = order_of(likely_NK, vectors(0, 0, 1, 2), ["a", "b", "c", "d"], seed=seed)
        twins = [order.index(row) for row in (0, 1)]
        assert max(twins) == 3, order


def test_each_product_gives_one_view_before_any_gives_a_second() -> None:
    generator = torch.Generator().manual_seed(1)
    likely_NK = torch.rand(12, 3, generator=generator)
    vectors_ND = normalize(torch.randn(12, 8, generator=generator), dim=1)
    families = [name for name in "abcd" for _ in range(3)]
    order = order_of(likely_NK, vectors_ND, families)
    for turn in range(3):
        assert {families[row] for row in order[4 * turn : 4 * turn + 4]} == set("abcd")


def test_of_a_labelled_product_further_views_come_with_the_second_ones() -> None:
    likely_NK = torch.tensor([[0.5, 0.5], [0.4, 0.4], [0.3, 0.3], [0.2, 0.2]])
    for seed in range(20):
        order = order_of(likely_NK, vectors(0, 1, 2, 3), ["a", "b", "b", "c"], labelled=["a", "elsewhere"], seed=seed)
        assert {order[0], order[1]} in ({1, 3}, {2, 3}), order
    assert sorted(order_of(likely_NK, vectors(0, 1, 2, 3), ["a"] * 4, labelled=["a"])) == [0, 1, 2, 3]


def test_the_same_arguments_give_the_same_order_and_a_count_its_beginning() -> None:
    likely_NK, vectors_ND = torch.full((5, 2), 0.4), vectors(0, 1, 2, 3, 4)
    whole = order_of(likely_NK, vectors_ND, list("abcde"), seed=3)
    assert order_of(likely_NK, vectors_ND, list("abcde"), seed=3) == whole
    assert order_of(likely_NK, vectors_ND, list("abcde"), count=2, seed=3) == whole[:2]
    assert order_of(likely_NK, vectors_ND, list("abcde"), count=9) != []
    assert order_of(torch.zeros(0, 2), torch.zeros(0, 3), []) == []


def test_items_that_the_model_is_wholly_sure_of_are_all_in_the_order() -> None:
    assert sorted(order_of(torch.ones(4, 2), torch.zeros(4, 3), list("aabb"))) == [0, 1, 2, 3]

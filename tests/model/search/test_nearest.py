"""The exact search finds what a search in double precision finds, in its order."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.search.nearest import nearest


def drawn(rows: int, seed: int = 0, width: int = 512) -> Tensor:
    return normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), dim=1).half()


def exact(vectors_ND: Tensor, query_D: Tensor, count: int) -> list[int]:
    scores_N = vectors_ND.double() @ query_D.half().double()
    order: list[int] = scores_N.argsort(descending=True, stable=True)[:count].tolist()
    return order


def test_the_best_rows_are_those_of_double_precision() -> None:
    vectors_ND = drawn(3000)
    for seed in range(5):
        query_D = drawn(1, seed + 1)[0].float()
        rows, scores = nearest(vectors_ND, query_D, 10)
        assert rows == exact(vectors_ND, query_D, 10)
        assert scores == sorted(scores, reverse=True)


def test_rows_that_differ_by_less_than_half_precision_are_told_apart() -> None:
    # Each row differs from the first in its last digits alone: their rounded scores are equal or out of order.
    first_D = drawn(1)[0]
    vectors_ND = first_D.repeat(200, 1)
    vectors_ND[torch.arange(200), torch.arange(200)] *= 1.001
    query_D = first_D.float()
    rough_N = torch.mv(vectors_ND, query_D.half())
    assert len(set(rough_N.tolist())) < 20, "the rounded scores can tell them apart: the test shows nothing"
    assert nearest(vectors_ND, query_D, 20)[0] == exact(vectors_ND, query_D, 20)


@pytest.mark.parametrize("allowed", [range(0, 900, 2), range(5, 900, 300)])
def test_only_allowed_rows_are_found(allowed: range) -> None:
    vectors_ND, query_D = drawn(900), drawn(1, 9)[0]
    allowed_N = torch.zeros(900, dtype=torch.bool)
    allowed_N[list(allowed)] = True
    wanted = [row for row in exact(vectors_ND, query_D, 900) if row in allowed][:7]
    assert nearest(vectors_ND, query_D, 7, allowed_N)[0] == wanted


def test_more_is_asked_for_than_there_is() -> None:
    vectors_ND = drawn(4)
    allowed_N = torch.tensor([True, False, True, True])
    assert sorted(nearest(vectors_ND, vectors_ND[0], 10, allowed_N)[0]) == [0, 2, 3]
    assert sorted(nearest(vectors_ND, vectors_ND[0], 10)[0]) == [0, 1, 2, 3]


def test_nothing_is_near_to_nothing() -> None:
    vectors_ND = drawn(4)
    none_N = torch.zeros(4, dtype=torch.bool)
    assert nearest(vectors_ND, torch.zeros(512), 3) == ([], [])
    assert nearest(vectors_ND[:0], vectors_ND[0], 3) == ([], [])
    assert nearest(vectors_ND, vectors_ND[0], 3, none_N) == ([], [])

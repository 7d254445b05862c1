import pytest
import torch
from torch.nn.functional import normalize

from model.weak_supervision import best
from model.weak_supervision.best import Best, GoldVectors, best_among

ITEMS, WIDTH, MOST = 400, 24, 6


def vectors(spread: float, count: int = ITEMS) -> torch.Tensor:
    """Vectors around five centres; at a small spread, those of one centre are nearly the same."""
    chance = torch.Generator().manual_seed(3)
    centre_5D = torch.randn(5, WIDTH, generator=chance)
    own_ND = torch.randn(count, WIDTH, generator=chance)
    return normalize(centre_5D[torch.arange(count) % 5] + spread * own_ND, dim=1)


def by_sorting(vectors_ND: torch.Tensor, gold: list[int]) -> torch.Tensor:
    """The largest similarities of each item, by a full sort in double precision."""
    similarity_NN = vectors_ND.double() @ vectors_ND.double().T
    similarity_NN.fill_diagonal_(-torch.inf)
    return similarity_NN[:, gold].sort(dim=1, descending=True).values[:, :MOST]


@pytest.fixture(params=[False, True], ids=["single", "rough"])
def is_rough(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Small parts, so that there are several; with and without a first comparison in bfloat16."""
    monkeypatch.setattr(best, "GOLD", 16)
    monkeypatch.setattr(best, "ITEMS", 150)
    monkeypatch.setattr(best, "MUCH", 0)
    monkeypatch.setattr(best, "multiplies_bfloat16", lambda: request.param)
    return bool(request.param)


@pytest.mark.parametrize("spread", [1.0, 0.1, 0.003])
@pytest.mark.parametrize("count", [3, 100, 333])
def test_the_best_are_those_of_a_full_sort(is_rough: bool, spread: float, count: int) -> None:
    vectors_ND, gold = vectors(spread), list(range(count))
    compared = GoldVectors.of(gold, vectors_ND)
    assert compared.is_rough is is_rough
    found = best_among(compared, torch.arange(ITEMS), vectors_ND, Best.none(ITEMS, MOST))
    wanted_NM = by_sorting(vectors_ND, gold)
    similarity_NM = found.similarity_NM[:, : wanted_NM.shape[1]]
    assert torch.allclose(similarity_NM.double(), wanted_NM, atol=1e-6)
    rows_NM = found.rows_NM[:, : wanted_NM.shape[1]]
    again_NM = (vectors_ND[:, None] * vectors_ND[rows_NM.clamp(min=0)]).sum(2)
    assert torch.allclose(again_NM[rows_NM >= 0], similarity_NM[rows_NM >= 0], atol=1e-6)
    assert not (rows_NM == torch.arange(ITEMS)[:, None]).any()
    assert bool(((rows_NM >= 0) == (similarity_NM > -torch.inf)).all())


@pytest.mark.usefixtures("is_rough")
def test_gold_that_is_added_joins_what_is_known() -> None:
    vectors_ND = vectors(0.5)
    first, then = list(range(40)), list(range(200, 290))
    known = best_among(GoldVectors.of(first, vectors_ND), torch.arange(ITEMS), vectors_ND, Best.none(ITEMS, MOST))
    rows = torch.arange(ITEMS).flip(0)
    found = best_among(GoldVectors.of(then, vectors_ND), rows, vectors_ND, known[rows])
    assert torch.allclose(found.similarity_NM.double(), by_sorting(vectors_ND, first + then)[rows], atol=1e-6)


def test_what_bfloat16_cannot_tell_apart_is_compared_again(is_rough: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors_ND, compared = vectors(0.003), list[bool]()
    whole = best._compare

    def noting(found: Best, gold: GoldVectors, *given: object) -> None:
        compared.append(gold.is_rough)
        whole(found, gold, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(best, "_compare", noting)
    gold = list(range(300))
    found = best_among(GoldVectors.of(gold, vectors_ND), torch.arange(100), vectors_ND, Best.none(100, MOST))
    assert compared == ([True, False] if is_rough else [False])
    assert torch.allclose(found.similarity_NM.double(), by_sorting(vectors_ND, gold)[:100], atol=1e-6)


def test_what_was_known_stays_as_it_was() -> None:
    vectors_ND = vectors(0.5)
    known = best_among(GoldVectors.of(range(50), vectors_ND), torch.arange(ITEMS), vectors_ND, Best.none(ITEMS, MOST))
    before = known.copy()
    best_among(GoldVectors.of(range(50, 90), vectors_ND), torch.arange(ITEMS), vectors_ND, known)
    assert torch.equal(known.rows_NM, before.rows_NM)
    assert torch.equal(known.similarity_NM, before.similarity_NM)


def test_vectors_in_half_precision_are_compared_as_they_are() -> None:
    vectors_ND = vectors(0.5).half()
    gold = list(range(7, 390, 3))
    found = best_among(GoldVectors.of(gold, vectors_ND), torch.arange(ITEMS), vectors_ND, Best.none(ITEMS, MOST))
    assert torch.allclose(found.similarity_NM.double(), by_sorting(vectors_ND, gold), atol=1e-6)

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from model.features.item import hashed_industry
from model.weak_supervision.propagation import Embedding, Neighbours, votes, votes_on_new
from testing.features import features
from testing.shop import SMALL

ITEMS = 40


def vectors(seed: int, count: int = ITEMS) -> torch.Tensor:
    return normalize(torch.randn(count, 12, generator=torch.Generator().manual_seed(seed)), dim=1)


def scratch(vectors_ND: torch.Tensor, gold: set[int], neighbours: int) -> torch.Tensor:
    """Similarities of the best neighbours by a full sort."""
    similarity_NN = vectors_ND @ vectors_ND.T
    similarity_NN.fill_diagonal_(-torch.inf)
    rest = [n for n in range(len(vectors_ND)) if n not in gold]
    similarity_NN[:, rest] = -torch.inf
    return similarity_NN.sort(dim=1, descending=True).values[:, :neighbours]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 5),
    st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, ITEMS - 1), max_size=12)), max_size=8),
    st.sampled_from([1, 5, 60]),
)
def test_any_course_of_gold_equals_a_search_from_scratch(
    seed: int, course: list[tuple[bool, set[int]]], neighbours: int
) -> None:
    vectors_ND, gold = vectors(seed), set[int]()
    found = Neighbours.empty(vectors_ND, neighbours=neighbours)
    for adds, rows in course:
        found = found.add(rows) if adds else found.remove(rows)
        gold = gold | rows if adds else gold - rows
    wanted_NM = scratch(vectors_ND, gold, neighbours)
    similarity_NM = found.similarity_NM[:, : wanted_NM.shape[1]]
    assert found.gold == tuple(sorted(gold))
    assert torch.allclose(similarity_NM, wanted_NM, atol=1e-4)
    known_NM = found.gold_NM >= 0
    again_NM = (vectors_ND[:, None] * vectors_ND[found.gold_NM.clamp(min=0)]).sum(-1)
    assert torch.allclose(again_NM[known_NM], found.similarity_NM[known_NM], atol=1e-4)
    assert not (found.gold_NM == torch.arange(ITEMS)[:, None]).any()


def test_items_that_come_later_are_searched_too() -> None:
    vectors_ND = vectors(1)
    grown = Neighbours.empty(vectors_ND[:25], neighbours=4).add(range(10)).extend(vectors_ND[25:]).add([30])
    assert torch.allclose(grown.similarity_NM, scratch(vectors_ND, {*range(10), 30}, 4), atol=1e-4)


@pytest.mark.parametrize("gold", [0, 1, 7, 25])
def test_votes_on_new_items_are_those_of_items_without_family(gold: int) -> None:
    vectors_ND = vectors(3)
    chance = torch.Generator().manual_seed(4)
    labels_NK = torch.randint(0, 2, (ITEMS, 3), generator=chance).float()
    labels_NK[::5, 1] = torch.nan
    labels_NK[gold:] = torch.nan
    among_all = votes(Neighbours.empty(vectors_ND).add(range(gold)), labels_NK, [str(n) for n in range(ITEMS)])
    new = votes_on_new(vectors_ND[gold:], vectors_ND[:gold], labels_NK[:gold])
    assert new.shape == (ITEMS - gold, 3)
    assert torch.allclose(new, among_all[gold:], atol=1e-6)


def test_votes_follow_the_near_and_their_own_family_is_silent_on_gold() -> None:
    vectors_ND = normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.1, 1.0], [0.9, 0.2]]), dim=1)
    labels_NK = torch.tensor([[torch.nan], [1.0], [0.0], [torch.nan], [1.0]])
    found = Neighbours.empty(vectors_ND).add([1, 2, 4])
    apart = votes(found, labels_NK, ["a", "b", "c", "d", "e"])
    assert apart[0] > 0 > apart[3]
    together = votes(found, labels_NK, ["a", "b", "c", "d", "b"])
    assert apart[1] > 0 > together[1]
    assert together[0] == apart[0]


def test_nobody_votes_without_gold() -> None:
    assert votes(Neighbours.empty(vectors(0)), torch.full((ITEMS, 3), torch.nan), ["x"] * ITEMS).abs().sum() == 0


def test_a_space_needs_items() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        Embedding.of([])


def test_a_missing_modality_takes_no_side() -> None:
    items, _, _ = SMALL.pool(6)
    space = Embedding.of(items)
    bare = space.vectors([features(title="", industry=())])
    assert bare.abs().sum() == 0
    assert torch.allclose(space.vectors(items).norm(dim=1), torch.ones(6), atol=0.4)


def test_industries_are_told_apart_by_level() -> None:
    assert not torch.equal(hashed_industry(["a", "b"]), hashed_industry(["b", "a"]))
    assert hashed_industry([]).sum() == 0


def test_unknown_gold_votes_neither_way() -> None:
    vectors_ND = normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.9, 0.2]]), dim=1)
    nan = torch.nan
    found = Neighbours.empty(vectors_ND).add([1, 2, 3])
    unknown = votes(found, torch.tensor([[nan], [1.0], [0.0], [nan]]), ["a", "b", "c", "d"])
    denied = votes(found, torch.tensor([[nan], [1.0], [0.0], [0.0]]), ["a", "b", "c", "d"])
    without = votes(Neighbours.empty(vectors_ND).add([1, 2]), torch.tensor([[nan], [1.0], [0.0], [nan]]), list("abcd"))
    assert torch.allclose(unknown[0], without[0])
    assert unknown[0] > denied[0]

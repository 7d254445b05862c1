import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.weak_supervision.label_model import LabelModel, Opinions, WeakLabels

SOURCES, CLASSES = 3, 2


def opinions(log_odds_SN: Tensor, prior: float = 0.0) -> Opinions:
    """The same sources on every class."""
    log_odds_SNK = log_odds_SN[:, :, None].expand(-1, -1, CLASSES).double()
    trust_SK = torch.ones(len(log_odds_SN), CLASSES, dtype=torch.float64)
    names = tuple(f"s{s}" for s in range(len(log_odds_SN)))
    return Opinions(names, log_odds_SNK, trust_SK, torch.full((CLASSES,), prior, dtype=torch.float64))


def unknown(items: int) -> Tensor:
    return torch.full((items, CLASSES), torch.nan, dtype=torch.float64)


def weak_labels(said: Opinions, gold_NK: Tensor) -> WeakLabels:
    return LabelModel.fit(said, gold_NK).weak_labels(said)


def drawn(items: int, right: float, seed: int) -> tuple[Tensor, Tensor]:
    """Gold, and a source that is right about it with this probability."""
    random = torch.Generator().manual_seed(seed)
    gold_N = (torch.rand(items, generator=random) < 0.5).double()
    agrees_N = torch.rand(items, generator=random) < right
    return gold_N, torch.where(agrees_N, 2 * gold_N - 1, 1 - 2 * gold_N) * 2.0


def test_without_gold_the_sources_are_believed_as_they_come() -> None:
    said = opinions(torch.tensor([[2.0, -1.0], [0.5, 0.0], [0.0, 0.0]]), prior=-1.0)
    weak = weak_labels(said, unknown(2))
    assert torch.allclose(weak.probability_NK[:, 0], torch.sigmoid(torch.tensor([1.5, -2.0], dtype=torch.float64)))


def test_gold_lifts_a_good_source_over_a_bad_one() -> None:
    gold_N, good_N = drawn(200, 0.95, seed=1)
    _, bad_N = drawn(200, 0.5, seed=2)
    model = LabelModel.fit(opinions(torch.stack([good_N, bad_N])), gold_N[:, None].expand(-1, CLASSES))
    assert model.trust_SK[0, 0] > 3 * model.trust_SK[1, 0]
    assert model.accuracy_SK[0, 0] == pytest.approx(0.95, abs=0.03)
    assert model.accuracy_SK[1, 0] == pytest.approx(0.5, abs=0.1)
    told = model.accuracies(("a", "b"))
    assert list(told) == ["s0", "s1"]
    assert told["s0"] == {"a": float(model.accuracy_SK[0, 0]), "b": float(model.accuracy_SK[0, 1])}


def test_scarce_gold_moves_trust_little() -> None:
    gold_N, wrong_N = drawn(2, 0.0, seed=3)
    few = LabelModel.fit(opinions(wrong_N[None]), gold_N[:, None].expand(-1, CLASSES))
    gold_N, wrong_N = drawn(300, 0.0, seed=3)
    many = LabelModel.fit(opinions(wrong_N[None]), gold_N[:, None].expand(-1, CLASSES))
    assert 0.2 < few.trust_SK[0, 0] < 1.0
    assert many.trust_SK[0, 0] < 0


def test_repeating_a_source_does_not_double_its_voice() -> None:
    gold_N, source_N = drawn(400, 0.8, seed=4)
    gold_NK = gold_N[:, None].expand(-1, CLASSES)
    once = weak_labels(opinions(source_N[None]), gold_NK).probability_NK
    thrice = weak_labels(opinions(source_N.expand(3, -1)), gold_NK).probability_NK
    assert torch.allclose(once, thrice, atol=0.03)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(-8, 8), min_size=SOURCES, max_size=SOURCES), min_size=1, max_size=12),
    st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=12, max_size=12),
    st.floats(-4, 4),
)
def test_any_gold_gives_finite_answers_that_provenance_adds_up_to(
    said: list[list[float]], gold: list[float], prior: float
) -> None:
    log_odds_SN = torch.tensor(said, dtype=torch.float64).T
    gold_NK = torch.tensor(gold[: len(said)], dtype=torch.float64)[:, None].expand(-1, CLASSES)
    model = LabelModel.fit(opinions(log_odds_SN, prior), gold_NK)
    weak = model.weak_labels(opinions(log_odds_SN, prior))
    assert weak.probability_NK.isfinite().all()
    assert ((weak.confidence_NK >= 0) & (weak.confidence_NK <= 1)).all()
    told_NK = model.bias_K + weak.provenance_SNK.sum(0)
    assert torch.allclose(torch.sigmoid(told_NK), weak.probability_NK)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_items_does_not_matter(order: list[int]) -> None:
    log_odds_SN = torch.tensor([[2.0, -2, 1, 0, -1, 3], [1.0, 1, -1, 2, 0, 0]])
    gold_NK = torch.tensor([1.0, 0, torch.nan, 1, 0, 1])[:, None].expand(-1, CLASSES)
    straight = weak_labels(opinions(log_odds_SN), gold_NK).probability_NK
    mixed = weak_labels(opinions(log_odds_SN[:, order]), gold_NK[order]).probability_NK
    assert torch.allclose(mixed, straight[order], atol=1e-6)


def test_contradicting_gold_cancels_out() -> None:
    said = opinions(torch.tensor([[1.0, 1.0]]))
    model = LabelModel.fit(said, torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert model.trust_SK.isfinite().all()
    assert weak_labels(said, torch.tensor([[1.0, 1.0], [0.0, 0.0]])).probability_NK[0, 0] < torch.sigmoid(
        torch.tensor(1.0)
    )


def test_the_weightiest_source_comes_first() -> None:
    weak = weak_labels(opinions(torch.tensor([[0.5], [-3.0], [0.0]])), unknown(1))
    assert weak.because(0, 0) == [("s1", -3.0), ("s0", 0.5)]


def test_a_model_of_other_sources_is_refused() -> None:
    model = LabelModel.fit(opinions(torch.ones(2, 1)), unknown(1))
    with pytest.raises(ValueError, match="other sources"):
        model.log_odds(opinions(torch.ones(1, 1)))
    with pytest.raises(ValueError, match="do not fit"):
        Opinions(("a",), torch.zeros(2, 1, CLASSES), torch.ones(1, CLASSES), torch.zeros(CLASSES))

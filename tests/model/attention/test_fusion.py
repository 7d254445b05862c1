"""Each fusion on its own: shapes, what a missing modality does, and that all of it learns."""

import pytest
import torch

from model.attention.fusion import FUSIONS, MODALITIES, Average, Channels, Gate, Late, WeightedAverage, make_fusion

BATCH, CLASSES, WIDTH = 6, 5, 8


def channels(*missing: int, seed: int = 1) -> Channels:
    """Random channels; the modalities in ``missing`` are missing from every item."""
    random = torch.Generator().manual_seed(seed)
    there_BM = torch.ones(BATCH, MODALITIES, dtype=torch.bool)
    there_BM[:, list(missing)] = False
    asked_BKMD = torch.randn(BATCH, CLASSES, MODALITIES, WIDTH, generator=random) * there_BM[:, None, :, None]
    pooled_BMD = torch.randn(BATCH, MODALITIES, WIDTH, generator=random) * there_BM[..., None]
    return Channels(asked_BKMD, pooled_BMD, there_BM)


@pytest.mark.parametrize("name", FUSIONS)
def test_every_fusion_gives_its_voices_with_shares(name: str) -> None:
    fusion = make_fusion(name, WIDTH)
    voices = fusion(channels())
    assert voices.said_BKSD.shape == (BATCH, CLASSES, fusion.voices, WIDTH)
    assert torch.allclose(voices.share_BKS.sum(-1), torch.ones(BATCH, CLASSES))


@pytest.mark.parametrize("name", FUSIONS)
def test_without_any_modality_it_stays_finite(name: str) -> None:
    voices = make_fusion(name, WIDTH)(channels(0, 1, 2))
    assert voices.said_BKSD.isfinite().all()
    assert (voices.share_BKS.sum(-1) <= 1).all()


@pytest.mark.parametrize("name", sorted(set(FUSIONS) - {"average", "late"}))
def test_every_parameter_of_a_fusion_learns(name: str) -> None:
    torch.manual_seed(1)
    fusion = make_fusion(name, WIDTH)
    voices = fusion(channels())
    torch.autograd.backward((voices.said_BKSD * voices.share_BKS[..., None]).square().sum())
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in fusion.parameters())


def test_an_average_is_of_what_is_there() -> None:
    seen = channels(1)
    voices = Average(WIDTH)(seen)
    assert torch.allclose(voices.said_BKSD[:, :, 0], (seen.asked_BKMD[:, :, 0] + seen.asked_BKMD[:, :, 2]) / 2)


def test_learned_weights_are_the_same_for_all_items_and_the_gates_are_not() -> None:
    seen = channels()
    weighted, gate = WeightedAverage(WIDTH), Gate(WIDTH)
    torch.nn.init.constant_(weighted.weight_M[0], 20.0)
    torch.nn.init.normal_(gate.weigh.weight, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(weighted(seen).said_BKSD[:, :, 0], seen.asked_BKMD[:, :, 0], atol=1e-5)
    assert gate(seen).share_BKS.std(dim=(0, 1)).min() > 0.02
    assert torch.equal(gate(seen).said_BKSD, seen.asked_BKMD)


def test_a_modality_that_is_missing_has_no_voice_in_late_fusion() -> None:
    assert Late(WIDTH)(channels(0)).share_BKS[0, 0].tolist() == [0.0, 0.5, 0.5]


def test_an_unknown_fusion_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no fusion 'magic': use one of gate, average"):
        make_fusion("magic", WIDTH)

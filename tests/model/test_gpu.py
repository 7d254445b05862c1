"""Training and encoders on a GPU. Not yet run anywhere: no machine with one was at hand when they were written."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from model.encoders.catalogue import image_encoder, text_encoder
from model.encoders.precision import has_bfloat16
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from testing.shop import LABELS, SMALL
from tests.model.training.process_group import PHASES, train_in_processes, trained

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use"),
]
ITEMS, GOLD, FAMILIES = SMALL.pool(24)


def tagger_on(device: str) -> Tagger:
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    config = TrainConfig(seed=3, first=PHASES, device=device, network={"width": 16, "dropout": 0.0})
    return fit(cold, Problem(ITEMS, GOLD, FAMILIES), config)


def test_the_gpu_trains_what_the_cpu_trains_within_the_noise_of_bfloat16() -> None:
    here, there = tagger_on("cpu"), tagger_on("cuda")
    assert there.network is not None
    assert {parameter.device.type for parameter in there.network.parameters()} == {"cpu"}
    assert {value.device.type for value in there.optimizer.values()} == {"cpu"}
    assert (here.probabilities(ITEMS) - there.probabilities(ITEMS)).abs().max() < 0.02


def test_the_same_seed_gives_the_same_tagger_on_the_gpu() -> None:
    assert torch.allclose(tagger_on("cuda").probabilities(ITEMS), tagger_on("cuda").probabilities(ITEMS), atol=1e-3)


def test_a_training_moves_between_cpu_and_gpu() -> None:
    on_cpu = tagger_on("cpu")
    config = TrainConfig(seed=3, continuation=PHASES, device="cuda", network={"width": 16, "dropout": 0.0})
    again = fit(on_cpu, Problem(ITEMS, GOLD, FAMILIES), config)
    assert float(again.optimizer["head.step"]) > float(on_cpu.optimizer["head.step"])


def test_encoders_under_bfloat16_give_the_cpus_features_within_noise() -> None:
    picture = Image.new("RGB", (80, 60), (200, 30, 60))
    assert has_bfloat16(torch.device("cuda"))
    grid_NRC, there_NRC = (image_encoder("shipped", device).encode([picture])[0] for device in ("cpu", "cuda"))
    assert (grid_NRC - there_NRC).norm() < 0.05 * grid_NRC.norm()
    read_E, seen_E = (text_encoder("shipped", device).encode(["买一送一"])[0].pooled_E for device in ("cpu", "cuda"))
    assert (read_E - seen_E).norm() < 0.05 * read_E.norm()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_on_the_gpu_end_in_one_tagger(tmp_path: Path) -> None:
    """On one GPU through gloo; NCCL wants a GPU for each process."""
    first, second = train_in_processes(tmp_path, "cuda", "gloo")
    for name, alone in trained("cuda").items():
        assert torch.equal(first[name], second[name])
        assert torch.allclose(first[name], alone, atol=2e-2), name

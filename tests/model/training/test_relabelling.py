from dataclasses import replace

import pytest
import torch

from model.attention.batching import collate
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import EpochReport, fit
from model.training.relabelling import relabelled
from model.weak_supervision.boxes import BoxSource
from model.weak_supervision.credence import Credence
from testing.shop import LABELS, SMALL

ITEMS, GOLD, FAMILIES = SMALL.pool(24)
LONG, SHORT = (Phase("refine", 3, PARTS, 1e-2),), (Phase("refine", 1, PARTS, 1e-3),)
CONFIG = TrainConfig(first=LONG, continuation=SHORT, network={"width": 16})
MORE = ("新品", *LABELS)
OTHER = (LABELS[2], "新品", LABELS[0])


def cold_start(labels: tuple[str, ...], space: str = "space") -> Tagger:
    return Tagger.cold_start(labels, space=space, seed=1, with_boxes=False)


@pytest.fixture(scope="module")
def trained() -> Tagger:
    return fit(cold_start(LABELS), Problem(ITEMS, GOLD, FAMILIES), CONFIG)


def logits(tagger: Tagger) -> torch.Tensor:
    assert tagger.network is not None
    assert tagger.reduction is not None
    vocabulary = tagger.network.config.vocabulary
    batch = collate(ITEMS, tagger.sources.cues, tagger.reduction, vocabulary).floats()
    found: torch.Tensor = tagger.network.eval()(batch).detach()
    return found


def test_a_label_more_leaves_what_was_learned_of_the_others(trained: Tagger) -> None:
    larger = relabelled(trained, cold_start(MORE))
    assert larger.labels == MORE
    assert torch.allclose(logits(larger)[:, 1:], logits(trained), atol=1e-5)
    assert (logits(larger)[:, 0] == 0).all()


def test_labels_that_go_take_their_rows_along_and_the_others_move(trained: Tagger) -> None:
    other = relabelled(trained, cold_start(OTHER))
    assert other.network is not None
    assert trained.network is not None
    assert torch.equal(other.network.head[0], trained.network.head[2])
    assert torch.equal(other.network.query[2], trained.network.query[0])
    assert torch.equal(other.optimizer["head.exp_avg"][2], trained.optimizer["head.exp_avg"][0])
    assert (other.optimizer["head.exp_avg"][1] == 0).all()


def test_what_gold_has_shown_under_other_labels_is_left_behind(trained: Tagger) -> None:
    """A middle of other columns would be subtracted from these, and credence is given by gold under these labels."""
    other = relabelled(
        replace(trained, box_source=BoxSource(torch.ones(len(LABELS))), credence=Credence((0.7,) * 3)),
        cold_start(OTHER),
    )
    assert other.network is not None
    assert other.box_source is None
    assert other.credence == Credence()


def test_training_goes_on_from_it(trained: Tagger) -> None:
    reports: list[EpochReport] = []
    start = relabelled(trained, cold_start(OTHER))
    after = fit(start, Problem(ITEMS, GOLD, FAMILIES), CONFIG, on_epoch=reports.append)
    assert [report.epoch for report in reports] == [1]  # a continuation, not a first training
    assert after.labels == OTHER
    assert after.probabilities(ITEMS).isfinite().all()


def test_nothing_is_inherited_without_a_network_or_from_another_space(trained: Tagger) -> None:
    cold = cold_start(OTHER)
    assert relabelled(cold_start(LABELS), cold) is cold
    elsewhere = cold_start(OTHER, space="elsewhere")
    assert relabelled(trained, elsewhere) is elsewhere

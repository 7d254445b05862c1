"""Folds that another process trains: whoever trains them, the answers are the same, and none is lost."""

import os
import time
from pathlib import Path

import pytest
import torch

from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.folds import Folds, OutOfFold
from model.training.phases import PARTS, Phase
from testing.shop import LABELS, SMALL
from testing.waiting import until
from worker.promotion.aside import judging_aside
from worker.watch import Interrupted

SHORT = (Phase("refine", 1, PARTS, 1e-3),)
ITEMS, GOLD, FAMILIES = SMALL.pool(24)
COLD = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
CONFIG = TrainConfig(seed=3, first=SHORT, continuation=SHORT, network={"width": 16})
FOLDS = Folds.of(COLD, Problem(ITEMS, GOLD, FAMILIES), CONFIG, folds=3)


def never() -> None:
    """Nothing ends the work."""


@pytest.fixture(scope="module")
def expected() -> OutOfFold:
    return FOLDS.joined({fold: FOLDS.answers(fold) for fold in range(len(FOLDS.rows))})


def same(found: OutOfFold, expected: OutOfFold) -> bool:
    return torch.allclose(found.probability_NK, expected.probability_NK, atol=1e-4, equal_nan=True) and torch.equal(
        found.given_NK, expected.given_NK
    )


def test_alone_it_trains_all(tmp_path: Path, expected: OutOfFold) -> None:
    with judging_aside(tmp_path, 0) as aside:
        aside.begin(FOLDS)
        assert same(aside.answers(FOLDS, never), expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_process_answers_as_this_one_would(tmp_path: Path, expected: OutOfFold) -> None:
    with judging_aside(tmp_path, 1) as aside:
        aside.begin(FOLDS)
        (folder,) = tmp_path.iterdir()
        until(lambda: (folder / "answers.2").exists())
        began = time.process_time()
        assert same(aside.answers(FOLDS, never), expected)
        assert time.process_time() - began < 0.5, "nothing is trained twice"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_a_process_took_before_it_died_is_trained_here(
    tmp_path: Path, expected: OutOfFold, caplog: pytest.LogCaptureFixture
) -> None:
    with judging_aside(tmp_path, 1) as aside:
        (folder,) = tmp_path.iterdir()
        (folder / "taken.0").touch()
        (folder / "taken.1").touch()
        assert aside._process
        aside._process.kill()
        assert same(aside.answers(FOLDS, never), expected)
    assert "goes on alone" in caplog.text


def test_a_job_that_must_end_ends_the_process(tmp_path: Path) -> None:
    def end() -> None:
        raise Interrupted("asked to")

    with judging_aside(tmp_path, 1) as aside:
        (folder,) = tmp_path.iterdir()
        assert aside._process
        number = aside._process.pid
        for fold in range(3):
            (folder / f"taken.{fold}").touch()
        with pytest.raises(Interrupted):
            aside.answers(FOLDS, end)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)

"""Work that another process does: whoever does it, the results are the same, and none is lost."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.folds import Folds
from model.training.phases import PARTS, Phase
from model.weak_supervision.boxes import BoxSource
from testing.shop import LABELS, SMALL
from testing.waiting import until
from worker.promotion.aside import Parts, judging_aside
from worker.promotion.parts import FoldPart, PoolPart
from worker.watch import Interrupted

SHORT = (Phase("refine", 1, PARTS, 1e-3),)
ITEMS, GOLD, FAMILIES = SMALL.pool(24)
COLD = Tagger.cold_start(LABELS, space="space", seed=3)
CONFIG = TrainConfig(seed=3, first=SHORT, continuation=SHORT, network={"width": 16})
FOLDS = Folds.of(COLD, Problem(ITEMS, GOLD, FAMILIES), CONFIG, folds=2)
# It looks at boxes, which takes long unless it is known which ones there may be.
LOOKING = replace(COLD, box_source=BoxSource(torch.zeros(len(LABELS)).double()))
WORK: Parts = {"pool": PoolPart(LOOKING, ITEMS), "fold 0": FoldPart(FOLDS, 0), "fold 1": FoldPart(FOLDS, 1)}

Results = dict[str, dict[str, Tensor]]


def never() -> None:
    """Nothing ends the work."""


@pytest.fixture(scope="module")
def expected() -> Results:
    return {name: part.do(never) for name, part in WORK.items()}


@pytest.fixture
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("descriptions")


def same(found: Results, expected: Results) -> bool:
    return found.keys() == expected.keys() and all(
        torch.allclose(found[name][key].double(), tensor.double(), atol=1e-4)
        for name, tensors in expected.items()
        for key, tensor in tensors.items()
    )


def test_the_process_imports_no_encoders_or_database() -> None:
    heavy = "{'transformers', 'torchvision', 'openvino', 'sqlalchemy', 'rq'}"
    code = f"import sys, worker.promotion.aside, worker.promotion.parts; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n", "its imports take the time in which it could work"


def test_alone_it_does_all(tmp_path: Path, expected: Results) -> None:
    with judging_aside(tmp_path, 0, tmp_path / "none") as aside:
        aside.give(WORK)
        assert same(aside.results(WORK, never), expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_process_does_as_this_one_would(tmp_path: Path, described: Path, expected: Results) -> None:
    with judging_aside(tmp_path, 1, described) as aside:
        aside.give(WORK)
        (folder,) = tmp_path.iterdir()
        until(lambda: (folder / "done.fold 1").exists(), seconds=120)
        began = time.process_time()
        assert same(aside.results(WORK, never), expected)
        assert time.process_time() - began < 0.5, "nothing is done twice"
    assert [file for file in described.rglob("*") if file.is_file()], "what it described is kept for all"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_a_process_took_before_it_died_is_done_here(
    tmp_path: Path, described: Path, expected: Results, caplog: pytest.LogCaptureFixture
) -> None:
    with judging_aside(tmp_path, 1, described) as aside:
        (folder,) = tmp_path.iterdir()
        (folder / "taken.pool").touch()
        (folder / "taken.fold 0").touch()
        assert aside._process
        aside._process.kill()
        assert same(aside.results(WORK, never), expected)
    assert "goes on alone" in caplog.text


def test_a_job_that_must_end_ends_the_process(tmp_path: Path, described: Path) -> None:
    def end() -> None:
        raise Interrupted("asked to")

    with judging_aside(tmp_path, 1, described) as aside:
        (folder,) = tmp_path.iterdir()
        assert aside._process
        number = aside._process.pid
        for name in WORK:
            (folder / f"taken.{name}").touch()
        with pytest.raises(Interrupted):
            aside.results(WORK, end)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)

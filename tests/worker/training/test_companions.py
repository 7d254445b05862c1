import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from redis import Redis
from safetensors.torch import load_file

from model import checkpoint
from model.features.said import SILENCE, Said
from model.items import Box
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import EpochReport, fit, nothing_to_do
from model.weak_supervision.propagation import Embedding, Index, Neighbours
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from testing.shop import LABELS, SHOP
from testing.waiting import until
from tests.worker import shop
from tests.worker.crew import crew
from tests.worker.progress import KEY, begin, is_trained, log_of, served, tick, training
from worker import queue
from worker.training.companions import (
    BOXES,
    ORDER,
    PARENT,
    TENSORS,
    CompanionDied,
    Order,
    _await_ready,
    _read_order,
    _write,
    training_together,
)
from worker.watch import Interrupted, NeverEnds

PHASES = (Phase("base", 2, ("head",), 1e-2), Phase("refine", 2, PARTS, 1e-3))
CONFIG = TrainConfig(first=PHASES, network={"width": 16, "dropout": 0.0}, batch=10)  # each share draws its own dropout


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """A training of some items whose features are in no cache."""
    features, gold, _ = SHOP.pool(24)
    embedding = Embedding.of(features[:12])  # made of other items than these, as one that is kept
    problem = Problem(features, gold, [f"{n // 2}" for n in range(len(features))], frozenset({0, 1}))
    index = Index(embedding, Neighbours.empty(embedding.vectors(features))).with_gold(problem.trainable)
    cold = Tagger.cold_start(LABELS, space=shop.SPACE, seed=3)
    problem = replace(problem, index=index, boxes=learn_boxes(cold, problem, seed=3))
    runs = tmp_path / "runs"
    runs.mkdir()
    return Order(
        cold, problem, CONFIG, tuple(map(str, range(len(features)))), runs / "state.safetensors", tmp_path / "features"
    )


def fitted(order: Order, on_epoch: Callable[[EpochReport], None] = nothing_to_do) -> Tagger:
    return fit(order.parent, order.problem, order.config, resume=order.state, on_epoch=on_epoch)


def two(order: Order) -> Order:
    return replace(order, processes=2)


def companions() -> list[psutil.Process]:
    me = psutil.Process()
    return [one for one in me.children() if "worker.training.companions" in one.cmdline()]


def stop(_: EpochReport) -> None:
    raise Interrupted("asked to")


def killing(report: EpochReport) -> None:
    if report.epoch == 2:
        (companion,) = companions()
        companion.kill()


def test_one_process_starts_no_other(order: Order, settings: Settings) -> None:
    with training_together(order, NeverEnds()):
        assert not companions()
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(("device", "words"), [("cuda:1", "cpu or cuda"), ("cuda", "GPUs")])
def test_devices_that_cannot_be_shared_out_are_refused(
    order: Order, settings: Settings, device: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    elsewhere = replace(order, config=replace(CONFIG, device=device))
    with pytest.raises(UserError, match=words), training_together(two(elsewhere), NeverEnds()):
        pytest.fail("it began")


def test_what_was_learned_of_boxes_is_handed_over_and_not_learned_again(
    order: Order, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "handed over"
    folder.mkdir()
    _write(folder, two(order))
    given = order.problem.boxes
    assert given is not None
    assert given.source is not None
    assert given.opinions_NK.any()
    tensors, parent = load_file(folder / TENSORS), checkpoint.load(folder / PARENT)
    assert torch.equal(tensors[BOXES], given.opinions_NK)
    assert parent.box_source is not None
    assert torch.equal(parent.box_source.centre_K, given.source.centre_K)
    models = [model for model in (parent.box_model, given.model) if model is not None]
    assert torch.equal(*(model.best(model.see(order.problem.pool[:4])) for model in models))
    bare = replace(order.parent, box_model=None)
    silent = replace(order.problem, boxes=learn_boxes(bare, order.problem, seed=3))
    (folder / "without").mkdir()
    _write(folder / "without", two(replace(order, parent=bare, problem=silent)))
    assert checkpoint.load(folder / "without" / PARENT).box_model is None
    assert not load_file(folder / "without" / TENSORS)[BOXES].any()


def test_what_is_handed_over_is_read_as_it_was(order: Order, settings: Settings, tmp_path: Path) -> None:
    _write(tmp_path, two(order))
    parent, problem, config = _read_order(tmp_path, json.loads((tmp_path / ORDER).read_text(encoding="utf-8")))
    assert config == order.config
    assert parent.version == order.parent.version
    assert (problem.families, problem.held_out) == (order.problem.families, order.problem.held_out)
    assert {row: entry.labels for row, entry in problem.gold.items()} == {
        row: entry.labels for row, entry in order.problem.gold.items()
    }
    assert problem.index
    assert order.problem.index
    theirs, ours = problem.index.neighbours.tensors(), order.problem.index.neighbours.tensors()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    assert problem.boxes
    assert order.problem.boxes
    assert torch.equal(problem.boxes.opinions_NK, order.problem.boxes.opinions_NK)


def test_what_sources_of_others_said_is_handed_over_too(order: Order, settings: Settings, tmp_path: Path) -> None:
    said = Said({"model": {"LOGO": 0.9}}, (Box(0.1, 0.2, 0.3, 0.4),))
    pool = [replace(item, said=said) if row == 3 else item for row, item in enumerate(order.problem.pool)]
    _write(tmp_path, two(replace(order, problem=replace(order.problem, pool=pool))))
    _, problem, _ = _read_order(tmp_path, json.loads((tmp_path / ORDER).read_text(encoding="utf-8")))
    assert {row: item.said for row, item in enumerate(problem.pool) if item.said != SILENCE} == {3: said}


def test_a_training_that_is_asked_to_end_is_interrupted_though_a_companion_has_died(tmp_path: Path) -> None:
    class Asked:
        def check(self) -> None:
            raise Interrupted("asked to")

    dead = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    assert dead.wait(30) == 1
    with pytest.raises(CompanionDied):
        _await_ready(tmp_path, [dead], NeverEnds())
    with pytest.raises(Interrupted):
        _await_ready(tmp_path, [dead], Asked())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_make_the_tagger_that_one_makes_also_after_an_interruption(
    order: Order, settings: Settings
) -> None:
    alone = fitted(order)
    order.state.unlink()
    with pytest.raises(Interrupted), training_together(two(order), NeverEnds()):
        fitted(order, stop)
    assert not companions()
    epochs: list[int] = []
    with training_together(two(order), NeverEnds()):
        both = fitted(order, lambda report: epochs.append(report.epoch))
    assert epochs == [2, 3, 4]
    assert not companions()
    assert list(order.state.parent.iterdir()) == [order.state]
    assert alone.network
    assert both.network
    for name, weight in alone.network.state_dict().items():
        assert torch.allclose(both.network.state_dict()[name], weight, atol=2e-3), name
    assert torch.allclose(alone.probabilities(order.problem.pool), both.probabilities(order.problem.pool), atol=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_process_that_dies_ends_the_training_and_says_so(order: Order, settings: Settings) -> None:
    with (
        pytest.raises(CompanionDied, match="process 1 ended with code -9"),
        training_together(two(order), NeverEnds()),
    ):
        fitted(order, killing)
    assert order.state.exists()
    assert not torch.distributed.is_initialized()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_process_that_cannot_begin_ends_the_training(order: Order, settings: Settings) -> None:
    spoilt = replace(order, problem=replace(order.problem))
    object.__setattr__(spoilt.problem, "families", [])  # as no problem can be made
    with (
        pytest.raises(CompanionDied, match="process 1 ended with code 1"),
        training_together(two(spoilt), NeverEnds()),
    ):
        fitted(order)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_work_horse_takes_its_companions_along_and_another_goes_on(
    store: Store, settings: Settings, redis: Redis
) -> None:
    with crew(settings.changed(training_processes=2)) as stock:
        begin(store, settings)
        until(lambda: training(settings) >= 3, seconds=120, every=0.01)
        horse = stock.horse()
        assert horse
        (companion,) = horse.children()
        horse.kill()
        until(lambda: not companion.is_running() or companion.status() == "zombie", seconds=10)
        redis.delete(*redis.keys("rq:job:train-*"))
        until(lambda: tick(store, settings), seconds=180, every=0.2)
    assert "goes on after epoch" in log_of(settings)
    assert served(store, settings)[:2] in {"v1", "v2", "v3", "v4"}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("redis")
def test_a_dead_companion_is_told_and_the_training_repeated(store: Store, settings: Settings) -> None:
    with crew(settings.changed(training_processes=2)) as stock:
        begin(store, settings)
        until(lambda: training(settings) >= 3, seconds=120, every=0.01)
        horse = stock.horse()
        assert horse
        os.kill(horse.children()[0].pid, signal.SIGKILL)
        until(lambda: "process 1 ended with code -9" in log_of(settings), seconds=30)
        assert not is_trained(store)
        until(lambda: tick(store, settings), seconds=180, every=0.2)
    assert "goes on after epoch" in log_of(settings)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("redis")
def test_sigterm_to_all_of_them_ends_after_the_epoch(store: Store, settings: Settings) -> None:
    """As systemd does by default."""
    with crew(settings.changed(training_processes=2)) as stock:
        begin(store, settings)
        until(lambda: training(settings) >= 3, seconds=120, every=0.01)
        group = psutil.Process(stock.process.pid).children(recursive=True)
        assert len(group) == 2
        for one in [*group, stock.process]:
            one.send_signal(signal.SIGTERM)
        assert stock.wait(30) == 0
        assert not any(one.is_running() for one in group)
    assert not is_trained(store)
    assert list((settings.paths.home / "runs").glob("*/*.safetensors"))
    assert "Traceback" not in log_of(settings)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("redis")
def test_sigterm_to_all_of_them_while_they_begin_is_an_interruption(store: Store, settings: Settings) -> None:
    with crew(settings.changed(training_processes=2)) as stock:
        begin(store, settings)
        horse = psutil.Process(stock.process.pid)
        until(lambda: len(horse.children(recursive=True)) == 2, seconds=120, every=0.01)
        for one in [*reversed(horse.children(recursive=True)), stock.process]:
            one.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert stock.wait(60) == 0
    assert not is_trained(store)
    assert "Traceback" not in log_of(settings)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("redis")
def test_gold_that_comes_later_is_trained_on_too(store: Store, settings: Settings) -> None:
    """Also when a kill had left a folder in which processes met."""
    with crew(settings.changed(training_processes=2)):
        begin(store, settings)
        until(lambda: is_trained(store), seconds=120)
        (own,) = (settings.paths.home / "runs").iterdir()
        assert not any(path.is_dir() for path in own.iterdir())
        (own / "together-left" / PARENT).mkdir(parents=True)
        shop.annotate(store, range(201, 221))
        queue.wake_training(settings, KEY)
        until(lambda: is_trained(store), seconds=120)
        until(lambda: list(own.iterdir()) == [])
    assert "Traceback" not in log_of(settings)

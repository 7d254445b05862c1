"""Further processes that train along with a work horse (`TAGLOOM_TRAINING_PROCESSES`), on a GPU each if there are.

The work horse is rank 0 and the only one that judges, publishes and keeps state. What the others need is handed over as
files (JSON, safetensors; no pickle) in a folder that goes when the training ends, and each of them, as

    python -m worker.training.companions FOLDER RANK

calls the same `fit`. They end with the work horse, whatever ends it, and one that dies ends the training, which is then
repeated from its last epoch like any that failed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file
from torch import distributed

from model import checkpoint
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.items import Gold
from model.problem import Problem
from model.state import State, prefixed
from model.tagger import Tagger
from model.tensor_files import read
from model.training.config import TrainConfig
from model.training.phases import Phase
from model.training.progressive import fit
from model.weak_supervision.boxes import LearnedBoxes
from model.weak_supervision.propagation import Embedding, Index, Neighbours
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker.watch import Ends

LOOK_S = 0.1
ASKED = (signal.SIGTERM, signal.SIGINT)  # how a service manager and a terminal ask all processes to end
ORDER, PARENT, TENSORS, STATE = "order.json", "parent", "tensors.safetensors", "state.safetensors"
BOXES = "boxes"


class CompanionDied(Exception):  # noqa: N818 - names what happened
    """A process that trained along has ended before the training did."""


@dataclass(frozen=True)
class Order:
    """What all processes train on, its index and boxes found. ``keys`` name the pool's items in the cache of features;
    ``state`` is where a killed training's last epoch is kept."""

    parent: Tagger
    problem: Problem
    config: TrainConfig
    keys: tuple[str, ...]
    state: Path


@contextmanager
def together(settings: Settings, order: Order, watch: Ends) -> Iterator[None]:
    """Within, `fit` trains in as many processes as the settings say; in one, this does nothing.

    They meet in a folder of their own beside the state, which `RunState.of` drops when a kill has left it there.
    Raises CompanionDied when another process ends early, UserError when there are fewer GPUs than processes.
    """
    count = settings.training.training_processes
    if count == 1:
        yield
        return
    _check_devices(order.config.device, count)
    with TemporaryDirectory(dir=order.state.parent, prefix="together-") as folder:
        _write(Path(folder), settings, order)
        companions = [_start(folder, rank) for rank in range(1, count)]
        try:
            _await_ready(Path(folder), companions, watch)
            _join(Path(folder), 0, order.config.device)
            yield
        except RuntimeError as error:  # what torch.distributed raises when a peer is gone
            if dead := _dead(companions, patience=10.0):
                raise CompanionDied(dead) from error
            raise
        finally:
            _end(companions)


def _check_devices(device: str, count: int) -> None:
    if device not in ("cpu", "cuda"):
        raise UserError(f"TAGLOOM_TRAINING_PROCESSES={count} needs TAGLOOM_DEVICE=cpu or cuda, not {device}")
    if device == "cuda" and torch.cuda.device_count() < count:
        raise UserError(f"TAGLOOM_TRAINING_PROCESSES={count}, but there are {torch.cuda.device_count()} GPUs")


def _start(folder: str, rank: int) -> "subprocess.Popen[bytes]":
    # In the work horse's process group: who kills the group kills them too. But it is the work horse that decides when
    # the training ends: from its first moment on nobody else may ask a companion to. It inherits what is blocked here.
    mine = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)
    try:
        return subprocess.Popen([sys.executable, "-m", "worker.training.companions", folder, str(rank)])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mine)


def _await_ready(folder: Path, companions: Sequence["subprocess.Popen[bytes]"], watch: Ends) -> None:
    """Wait until all have read what they were handed: from then on they only wait for each other."""
    while not all((folder / f"ready.{rank}").exists() for rank in range(1, len(companions) + 1)):
        watch.check()  # first: who asked the work horse to end may have ended the others
        if dead := _dead(companions):
            raise CompanionDied(dead)
        time.sleep(LOOK_S)


def _dead(companions: Sequence["subprocess.Popen[bytes]"], patience: float = 0.0) -> str:
    """Which ones have failed, in words; empty when none has. ``patience``: a socket closes before its process ends."""
    end = time.monotonic() + patience
    while not any(one.poll() for one in companions) and time.monotonic() < end:
        time.sleep(LOOK_S)
    failed = [f"process {rank} ended with code {one.poll()}" for rank, one in enumerate(companions, 1) if one.poll()]
    return f"of {len(companions) + 1} that trained together, {', '.join(failed)}; its log says why" if failed else ""


def _end(companions: Sequence["subprocess.Popen[bytes]"]) -> None:
    for one in companions:
        one.kill()
        one.wait()
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _join(folder: Path, rank: int, device: str) -> None:
    """Meet the others through a file; on GPUs this process takes the one of its rank."""
    order = json.loads((folder / ORDER).read_text())
    if sys.platform == "linux":  # one machine: nothing is to listen outside of it
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    backend = "gloo"
    if device == "cuda":
        torch.cuda.set_device(rank)
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(
        backend, init_method=(folder / "meeting").resolve().as_uri(), rank=rank, world_size=order["processes"]
    )


def _write(folder: Path, settings: Settings, order: Order) -> None:
    """Hand over everything; features by their place in the cache, those that are not there as files."""
    problem, parent = order.problem, order.parent
    assert problem.index
    assert problem.boxes
    boxes, index = problem.boxes, problem.index
    if boxes.source:  # learned by rank 0 alone
        parent = replace(parent, box_model=boxes.model, box_source=boxes.source)
    checkpoint.save(parent, folder / PARENT, version=order.parent.version or "v0.0000")
    tensors = {**index.neighbours.tensors(), **prefixed("mean.", index.embedding.means), BOXES: boxes.opinions_NK}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
    if order.state.exists():
        shutil.copyfile(order.state, folder / STATE)
    cache, beside = FeatureCache(settings.paths.features, parent.space), FeatureCache(folder, parent.space)
    for key, features in zip(order.keys, problem.pool, strict=True):
        if key not in cache and not beside.put(key, features):
            raise OSError(f"features cannot be handed over: {folder} takes no more files")
    about = {
        "processes": settings.training.training_processes,
        "started_from": order.parent.version,
        "threads": torch.get_num_threads(),
        "work_horse": os.getpid(),
        "config": asdict(order.config),
        "features": str(settings.paths.features.resolve()),
        "keys": order.keys,
        "families": list(problem.families),
        "gold": {row: [sorted(said.labels), sorted(said.unknown), said.weight] for row, said in problem.gold.items()},
        "held_out": sorted(problem.held_out),
    }
    (folder / ORDER).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def _features(folder: Path, about: dict[str, Any], space: str) -> list[ItemFeatures]:
    cache, beside = FeatureCache(Path(about["features"]), space), FeatureCache(folder, space)
    found = [cache.get(key) or beside.get(key) for key in about["keys"]]
    there = [features for features in found if features is not None]
    if len(there) < len(found):
        raise ValueError(f"features of {len(found) - len(there)} items have gone from {about['features']}")
    return there


def _config(stored: dict[str, Any]) -> TrainConfig:
    """Back from ``dataclasses.asdict`` by way of JSON."""

    def phases(name: str) -> tuple[Phase, ...]:
        return tuple(Phase(**{**phase, "trains": tuple(phase["trains"])}) for phase in stored[name])

    return TrainConfig(**{**stored, "first": phases("first"), "continuation": phases("continuation")})


def _end_with(work_horse: int) -> None:
    while os.getppid() == work_horse:
        time.sleep(LOOK_S)
    os._exit(1)


def main() -> None:
    """Train along with the work horse that started this process."""
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    about = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    threading.Thread(target=_end_with, args=(about["work_horse"],), daemon=True).start()
    torch.set_num_threads(about["threads"])
    config = _config(about["config"])
    parent = replace(checkpoint.load(folder / PARENT), version=about["started_from"])
    features = _features(folder, about, parent.space)
    tensors, _ = read(folder / TENSORS)
    embedding = Embedding(State(tensors).under("mean."))
    vectors_ND, gold_rows = embedding.vectors(features), tuple(tensors["gold"].tolist())
    neighbours = Neighbours(vectors_ND, gold_rows, tensors["gold_NM"], tensors["similarity_NM"])
    gold = {
        int(row): Gold(frozenset(labels), None, weight, frozenset(unknown))
        for row, (labels, unknown, weight) in about["gold"].items()
    }
    problem = Problem(
        features,
        gold,
        about["families"],
        frozenset(about["held_out"]),
        Index(embedding, neighbours),
        LearnedBoxes(parent.box_model, parent.box_source, tensors[BOXES]),
    )
    (folder / f"ready.{rank}").touch()
    _join(folder, rank, config.device)
    fit(parent, problem, config, resume=folder / STATE)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()

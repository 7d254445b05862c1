"""Companions: further processes that train with a work horse (`TAGLOOM_TRAINING_PROCESSES`), each on a GPU if possible.

The work horse has rank 0. It alone judges, publishes and keeps state. It writes what the companions need to files (JSON
and safetensors, no pickle) in a folder that is deleted when the training ends, and starts each companion as

    python -m worker.training.companions FOLDER RANK

which calls the same `fit`. Companions end with the work horse, however it ends. If a companion dies, the training fails
and is repeated from its last epoch, like any training that failed.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
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
from model.features.said import SILENCE, Said
from model.items import Box, Gold
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
from worker.training.beside import LOOK_S, end_with, start
from worker.watch import Ends

MODULE = "worker.training.companions"
ORDER, PARENT, TENSORS, STATE = "order.json", "parent", "tensors.safetensors", "state.safetensors"
BOXES = "boxes"
SHOP = "shop"


class CompanionDied(Exception):  # noqa: N818 - names what happened
    """A companion has ended before the training did."""


@dataclass(frozen=True)
class Order:
    """The training that all processes do together; its problem already has the index and the boxes.

    ``keys`` are the keys of the pool's items in the cache of features, in the folder ``features``. ``state`` is the
    file of the last epoch's state.
    """

    parent: Tagger
    problem: Problem
    config: TrainConfig
    keys: tuple[str, ...]
    state: Path
    features: Path
    processes: int = 1


@contextmanager
def training_together(order: Order, watch: Ends) -> Iterator[None]:
    """Within this context `fit` trains in as many processes as the order says; with one process nothing changes.

    The processes share a temporary folder beside the state; if a kill leaves it behind, `RunState.of` deletes it.
    Raises CompanionDied when a companion ends early, UserError when there are fewer GPUs than processes.
    """
    count = order.processes
    if count == 1:
        yield
        return
    device = order.config.device
    if device not in ("cpu", "cuda"):
        raise UserError(f"TAGLOOM_TRAINING_PROCESSES={count} needs TAGLOOM_DEVICE=cpu or cuda, not {device}")
    if device == "cuda" and torch.cuda.device_count() < count:
        raise UserError(f"TAGLOOM_TRAINING_PROCESSES={count}, but there are {torch.cuda.device_count()} GPUs")
    with TemporaryDirectory(dir=order.state.parent, prefix="together-") as folder:
        _write(Path(folder), order)
        companions = [start(MODULE, folder, str(rank)) for rank in range(1, count)]
        try:
            _await_ready(Path(folder), companions, watch)
            _join(Path(folder), 0, device)
            yield
        # torch.distributed raises RuntimeError when another process has ended.
        except RuntimeError as error:
            if dead := _dead(companions, patience=10.0):
                raise CompanionDied(dead) from error
            raise
        finally:
            for companion in companions:
                companion.kill()
                companion.wait()
            if distributed.is_initialized():
                distributed.destroy_process_group()


def _await_ready(folder: Path, companions: Sequence["subprocess.Popen[bytes]"], watch: Ends) -> None:
    """Wait until all companions have read their files; after that, the processes wait only for each other."""
    while not all((folder / f"ready.{rank}").exists() for rank in range(1, len(companions) + 1)):
        # Checked first: a signal that asks the work horse to end may have ended the companions as well.
        watch.check()
        if dead := _dead(companions):
            raise CompanionDied(dead)
        time.sleep(LOOK_S)


def _dead(companions: Sequence["subprocess.Popen[bytes]"], patience: float = 0.0) -> str:
    """Return which companions have failed, as a sentence; empty if none has.

    ``patience`` is how many seconds to wait for the first failure, since a socket closes before its process ends.
    """
    end = time.monotonic() + patience
    while not any(one.poll() for one in companions) and time.monotonic() < end:
        time.sleep(LOOK_S)
    failed = [f"process {rank} ended with code {one.poll()}" for rank, one in enumerate(companions, 1) if one.poll()]
    return f"of {len(companions) + 1} that trained together, {', '.join(failed)}; its log says why" if failed else ""


def _join(folder: Path, rank: int, device: str) -> None:
    """Join the process group through a file in the folder; with GPUs this process uses the GPU of its rank."""
    order = json.loads((folder / ORDER).read_text())
    # All processes run on one machine, so no port may be reachable from outside.
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    backend = "gloo"
    if device == "cuda":
        torch.cuda.set_device(rank)
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(
        backend, init_method=(folder / "meeting").resolve().as_uri(), rank=rank, world_size=order["processes"]
    )


def _write(folder: Path, order: Order) -> None:
    """Write the order to files. Features are named by their keys in the cache; those it lacks become files here."""
    problem, parent = order.problem, order.parent
    assert problem.index
    assert problem.boxes
    boxes, index = problem.boxes, problem.index
    # Only the work horse learns boxes.
    if boxes.source:
        parent = replace(parent, box_model=boxes.model, box_source=boxes.source)
    parent = replace(parent, sources=replace(parent.sources, shop=boxes.shop))
    checkpoint.save(parent, folder / PARENT, version=order.parent.version or "v0.0000")
    tensors = {**index.neighbours.tensors(), **prefixed("mean.", index.embedding.means), BOXES: boxes.opinions_NK}
    tensors |= {} if boxes.shop_FNK is None else {SHOP: boxes.shop_FNK}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
    if order.state.exists():
        shutil.copyfile(order.state, folder / STATE)
    cache, beside = FeatureCache(order.features, parent.space), FeatureCache(folder, parent.space)
    for key, features in zip(order.keys, problem.pool, strict=True):
        if key not in cache and not beside.put(key, features):
            raise OSError(f"features cannot be handed over: {folder} takes no more files")
    about = {
        "processes": order.processes,
        "started_from": order.parent.version,
        "threads": torch.get_num_threads(),
        "work_horse": os.getpid(),
        "config": asdict(order.config),
        "features": str(order.features.resolve()),
        "keys": order.keys,
        "families": list(problem.families),
        "gold": {row: [sorted(gold.labels), sorted(gold.unknown), gold.weight] for row, gold in problem.gold.items()},
        "held_out": sorted(problem.held_out),
        # Features are cached without what sources of others say of them.
        "said": {row: asdict(item.said) for row, item in enumerate(problem.pool) if item.said != SILENCE},
    }
    (folder / ORDER).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def _read_order(folder: Path, about: Mapping[str, Any]) -> tuple[Tagger, Problem, TrainConfig]:
    """Read what `_write` has written: parent, problem and config. ValueError when features are missing by now."""
    parent = replace(checkpoint.load(folder / PARENT), version=about["started_from"])
    cache, beside = FeatureCache(Path(about["features"]), parent.space), FeatureCache(folder, parent.space)
    found = [cache.get(key) or beside.get(key) for key in about["keys"]]
    said = {
        int(row): Said(one["probabilities"], tuple(Box(**box) for box in one["boxes"]))
        for row, one in about["said"].items()
    }
    features = [replace(item, said=said.get(row, SILENCE)) for row, item in enumerate(found) if item is not None]
    if len(features) < len(found):
        raise ValueError(f"features of {len(found) - len(features)} items have gone from {about['features']}")

    # JSON has turned the tuples of the config into lists and its phases into dictionaries.
    config = dict(about["config"])
    for name in ("first", "continuation"):
        config[name] = tuple(Phase(**{**phase, "trains": tuple(phase["trains"])}) for phase in config[name])
    gold = {
        int(row): Gold(frozenset(labels), None, weight, frozenset(unknown))
        for row, (labels, unknown, weight) in about["gold"].items()
    }

    tensors, _ = read(folder / TENSORS)
    embedding = Embedding(State(tensors).under("mean."))
    vectors_ND, gold_rows = embedding.vectors(features), tuple(tensors["gold"].tolist())
    neighbours = Neighbours(vectors_ND, gold_rows, tensors["gold_NM"], tensors["similarity_NM"])
    own = LearnedBoxes(parent.box_model, parent.box_source, tensors[BOXES])
    boxes = replace(own, shop=parent.sources.shop, shop_FNK=tensors.get(SHOP))
    held_out = frozenset(about["held_out"])
    problem = Problem(features, gold, about["families"], held_out, Index(embedding, neighbours), boxes)
    return parent, problem, TrainConfig(**config)


def main() -> None:
    """Train as a companion of the work horse that started this process."""
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    about = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    end_with(about["work_horse"])
    torch.set_num_threads(about["threads"])
    parent, problem, config = _read_order(folder, about)
    (folder / f"ready.{rank}").touch()
    _join(folder, rank, config.device)
    fit(parent, problem, config, resume=folder / STATE)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()

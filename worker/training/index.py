"""Nearest gold kept between trainings, so that new gold costs N × new gold and removed gold re-scans only its items.

One file a project holds the neighbours and the space they were found in. Items are known again by their task and by
what the space sees of them; the space stays as it is until as many items have come as it was made of. A file that is
missing, half-written, spoilt or of other encoders means a search from scratch.

Shape suffixes: N items, M neighbours, D width of the space.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from model.features.item import ItemFeatures
from model.tensor_files import read
from model.weak_supervision.propagation import NEIGHBOURS, PARTS, FusedSpace, Neighbours
from tagloom_base.files import replaced
from worker.corpus.corpus import Corpus

LOG = logging.getLogger(__name__)

Keys = list[tuple[int, int]]  # task id and digest of what the space sees


@dataclass(frozen=True)
class Nearest:
    """The pool's nearest gold, and the space it is near in. ``made_of`` items made the space, ``come`` came since."""

    space: FusedSpace
    neighbours: Neighbours
    made_of: int
    come: int


def propagate(file: Path, encoders: str, corpus: Corpus) -> Nearest:
    """Nearest trainable gold of each item of the pool, by the cheapest way from what the file holds; kept there again.

    ``encoders`` is the fingerprint of what made the features.
    """
    keys = [(task, _digest(item)) for task, item in zip(corpus.task_ids, corpus.features, strict=True)]
    kept = _read(file, encoders)
    nearest = (_carried(kept, keys, corpus.features) if kept else None) or _from_scratch(corpus.features)
    found = nearest.neighbours.with_gold(corpus.trainable)
    nearest = Nearest(nearest.space, found, nearest.made_of, nearest.come)
    _write(file, encoders, keys, nearest)
    return nearest


@dataclass(frozen=True)
class _Kept:
    """What the file holds: neighbours by row, and which item each row was."""

    space: FusedSpace
    keys: Keys
    gold: list[int]
    gold_NM: Tensor
    similarity_NM: Tensor
    made_of: int
    come: int


def _from_scratch(features: Sequence[ItemFeatures]) -> Nearest:
    space = FusedSpace.of(features)
    return Nearest(space, Neighbours.empty(space.vectors(features)), len(features), 0)


def _carried(kept: _Kept, keys: Keys, features: Sequence[ItemFeatures]) -> Nearest | None:
    """The kept neighbours on today's pool; None when it has become another one and needs a new space."""
    row_of = {key: row for row, key in enumerate(kept.keys)}
    olds = [row_of.get(key, -1) for key in keys]
    come = kept.come + olds.count(-1)
    if come > kept.made_of:
        return None
    vectors_ND = kept.space.vectors(features)
    stay = [row for row, old in enumerate(olds) if old >= 0]
    fresh = [row for row, old in enumerate(olds) if old < 0]
    found = _staying(kept, [olds[row] for row in stay], vectors_ND[stay]).extend(vectors_ND[fresh])
    return Nearest(kept.space, _reordered(found, [*stay, *fresh], vectors_ND), kept.made_of, come)


def _staying(kept: _Kept, olds: Sequence[int], vectors_ND: Tensor) -> Neighbours:
    """Neighbours of the kept rows ``olds`` alone; items that had gold among them which went are searched again."""
    went = sorted(set(kept.gold) - set(olds))
    # Gold that went stays for a moment behind the others, so that it can be removed like any gold.
    frame = torch.tensor([*olds, *went], dtype=torch.int64)
    place = torch.full((len(kept.keys),), -1, dtype=torch.int64)
    place[frame] = torch.arange(len(frame))
    with_ghosts = Neighbours(
        torch.cat([vectors_ND, torch.zeros(len(went), vectors_ND.shape[1])]),
        tuple(sorted(place[kept.gold].tolist())),
        _mapped(kept.gold_NM[frame], place),
        kept.similarity_NM[frame],
    )
    count = len(olds)
    left = with_ghosts.remove(range(count, len(frame)))
    return Neighbours(vectors_ND, left.gold, left.gold_NM[:count], left.similarity_NM[:count])


def _reordered(found: Neighbours, order: Sequence[int], vectors_ND: Tensor) -> Neighbours:
    """The same neighbours with row ``order[n]`` in place of row n."""
    to = torch.tensor(order, dtype=torch.int64)
    back = torch.argsort(to)
    gold = tuple(sorted(to[list(found.gold)].tolist()))
    return Neighbours(vectors_ND, gold, _mapped(found.gold_NM, to)[back], found.similarity_NM[back])


def _mapped(gold_NM: Tensor, to: Tensor) -> Tensor:
    return torch.where(gold_NM >= 0, to[gold_NM.clamp(min=0)], gold_NM) if len(to) else gold_NM


def _digest(item: ItemFeatures) -> int:
    """What the space sees of an item, as 63 bits."""
    digest = hashlib.blake2b("/".join(item.industry).encode(), digest_size=8)
    for part_D in (item.image_C, item.reading_E, item.title_E):
        digest.update(part_D.contiguous().numpy().tobytes())
    return int.from_bytes(digest.digest(), "big") >> 1


def _write(file: Path, encoders: str, keys: Keys, nearest: Nearest) -> None:
    tensors = {
        **{f"mean.{part}": nearest.space.means[part].contiguous() for part in PARTS},
        "keys": torch.tensor(keys, dtype=torch.int64),
        **{name: tensor.contiguous() for name, tensor in nearest.neighbours.tensors().items()},
    }
    about = {"encoders": encoders, "made_of": str(nearest.made_of), "come": str(nearest.come)}
    try:
        with replaced(file) as beside:
            save_file(tensors, beside, {**about, "sha256": _sum(tensors)})
    except (OSError, SafetensorError) as error:
        LOG.warning("nearest gold is not kept for the next training: %s", error)


def _read(file: Path, encoders: str) -> _Kept | None:
    """What is kept; None when it cannot be used."""
    try:
        tensors, about = read(file)
        if about.get("encoders") != encoders or about.get("sha256") != _sum(tensors):
            return None
        if tensors["gold_NM"].shape[1] != NEIGHBOURS:
            return None
        return _Kept(
            FusedSpace({part: tensors[f"mean.{part}"] for part in PARTS}),
            [(task, digest) for task, digest in tensors["keys"].tolist()],
            tensors["gold"].tolist(),
            tensors["gold_NM"],
            tensors["similarity_NM"],
            int(about["made_of"]),
            int(about["come"]),
        )
    except (OSError, SafetensorError, KeyError, ValueError, IndexError):
        return None


def _sum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()

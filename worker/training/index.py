"""Nearest gold kept between trainings, so that new gold costs N × new gold and removed gold re-scans only its items.

One file a project holds the index: neighbours and the embedding they were found under. Items are known again by their
task and by what the embedding sees of them. The embedding stays as it is until as many items were added as it was made
of. A file that is missing, spoilt or of other encoders means a search from scratch.

Shape suffixes: N items, M neighbours, D width of the embedding.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from model.features.item import ItemFeatures
from model.tensor_files import read
from model.weak_supervision.propagation import NEIGHBOURS, PARTS, Embedding, Index, Neighbours
from tagloom_base.files import replaced
from worker.corpus.corpus import Corpus

LOG = logging.getLogger(__name__)

Keys = list[tuple[int, int]]  # task id and digest of what the embedding sees


@dataclass(frozen=True)
class Nearest:
    """An index of the pool. Its embedding was made of ``made_of`` items; ``added`` items were added since."""

    index: Index
    made_of: int
    added: int


def kept_index(file: Path, space: str, corpus: Corpus) -> Index:
    """Return the index of the corpus' trainable gold, by the cheapest way from what the file holds; keep it there.

    ``space`` is the fingerprint of what made the features.
    """
    pool = corpus.problem.pool
    keys = [(task, _digest(item)) for task, item in zip(corpus.task_ids, pool, strict=True)]
    kept = _read(file, space)
    nearest = (_carried(kept, keys, pool) if kept else None) or Nearest(Index.of(pool), len(pool), 0)
    nearest = replace(nearest, index=nearest.index.with_gold(corpus.problem.trainable))
    _write(file, space, keys, nearest)
    return nearest.index


@dataclass(frozen=True)
class _Kept:
    """What the file holds: neighbours by row, and which item each row was."""

    embedding: Embedding
    keys: Keys
    gold: list[int]
    gold_NM: Tensor
    similarity_NM: Tensor
    made_of: int
    added: int


def _carried(kept: _Kept, keys: Keys, features: Sequence[ItemFeatures]) -> Nearest | None:
    """The kept neighbours on today's pool; None when so many items were added that it needs a new embedding."""
    row_of = {key: row for row, key in enumerate(kept.keys)}
    olds = [row_of.get(key, -1) for key in keys]
    added = kept.added + olds.count(-1)
    if added > kept.made_of:
        return None
    vectors_ND = kept.embedding.vectors(features)
    stay = [row for row, old in enumerate(olds) if old >= 0]
    fresh = [row for row, old in enumerate(olds) if old < 0]
    found = _staying(kept, [olds[row] for row in stay], vectors_ND[stay]).extend(vectors_ND[fresh])
    index = Index(kept.embedding, _reordered(found, [*stay, *fresh], vectors_ND))
    return Nearest(index, kept.made_of, added)


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
    """What the embedding sees of an item, as 63 bits."""
    digest = hashlib.blake2b("/".join(item.industry).encode(), digest_size=8)
    for part_D in (item.image_C, item.reading_E, item.title_E):
        digest.update(part_D.contiguous().numpy().tobytes())
    return int.from_bytes(digest.digest(), "big") >> 1


def _write(file: Path, space: str, keys: Keys, nearest: Nearest) -> None:
    tensors = {
        **{f"mean.{part}": nearest.index.embedding.means[part].contiguous() for part in PARTS},
        "keys": torch.tensor(keys, dtype=torch.int64),
        **{name: tensor.contiguous() for name, tensor in nearest.index.neighbours.tensors().items()},
    }
    about = {"encoders": space, "made_of": str(nearest.made_of), "come": str(nearest.added)}
    try:
        with replaced(file) as beside:
            save_file(tensors, beside, {**about, "sha256": _sum(tensors)})
    except (OSError, SafetensorError) as error:
        LOG.warning("nearest gold is not kept for the next training: %s", error)


def _read(file: Path, space: str) -> _Kept | None:
    """What is kept; None when it cannot be used."""
    try:
        tensors, about = read(file)
        if about.get("encoders") != space or about.get("sha256") != _sum(tensors):
            return None
        if tensors["gold_NM"].shape[1] != NEIGHBOURS:
            return None
        return _Kept(
            Embedding({part: tensors[f"mean.{part}"] for part in PARTS}),
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

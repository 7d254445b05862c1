"""The index of nearest gold, kept in a file between trainings.

With the file, the search costs N × new gold, and removed gold costs a new search only for the items that had it as
neighbour. The file of a project holds the neighbours and the embedding with which they were found. An item is
recognised by its task id and by a digest of the features that the embedding uses. The embedding of a small pool is made
anew whenever the pool changes, so that the index depends on the pool alone and not on its history. A large pool keeps
its embedding until more items were added than it was made of. If the file is missing, spoilt or from other encoders,
the search starts again.

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

SMALL_POOL = 4096
"""Items of a pool that is searched from scratch after each change: at most 2 s, where a training takes ten or more."""

# For each row the task id, and the digest of the features that the embedding uses.
Keys = list[tuple[int, int]]


@dataclass(frozen=True)
class Nearest:
    """An index of the pool, whose embedding was made of ``made_of`` items; ``added`` items were added since then."""

    index: Index
    made_of: int
    added: int


def kept_index(file: Path, space: str, corpus: Corpus) -> Index:
    """Return the index of the corpus' trainable gold, made from the file's index if possible, and write it to the file.

    ``space`` is the fingerprint of the encoders and the reader.
    """
    pool = corpus.problem.pool
    keys = [(task, _digest(item)) for task, item in zip(corpus.task_ids, pool, strict=True)]
    kept = _read(file, space)
    nearest = (_carried(kept, keys, pool) if kept else None) or Nearest(Index.of(pool), len(pool), 0)
    nearest = replace(nearest, index=nearest.index.with_gold(corpus.problem.trainable))

    tensors = {
        **{f"mean.{part}": nearest.index.embedding.means[part].contiguous() for part in PARTS},
        "keys": torch.tensor(keys, dtype=torch.int64),
        "vectors_GD": nearest.index.neighbours.vectors_ND[list(nearest.index.neighbours.gold)].half(),
        **{name: tensor.contiguous() for name, tensor in nearest.index.neighbours.tensors().items()},
    }
    # Files call the number of added items "come". The name stays, so that files of earlier releases can be read.
    about = {"encoders": space, "made_of": str(nearest.made_of), "come": str(nearest.added)}
    try:
        with replaced(file) as beside:
            save_file(tensors, beside, {**about, "sha256": _sum(tensors)})
    # The training does not need the file; only the next one takes longer without it.
    except (OSError, SafetensorError) as error:
        LOG.warning("nearest gold is not kept for the next training: %s", error)
    return nearest.index


def nearest_gold(file: Path, space: str, item: ItemFeatures, most: int) -> list[tuple[int, float]]:
    """Return the ids of the gold tasks of the last training that are nearest to an item, with their similarities.

    The most similar comes first. The item's own task is among them if it has gold.
    """
    kept = _read(file, space)
    if kept is None or not kept.gold:
        return []
    best = (kept.vectors_GD.float() @ kept.embedding.vectors([item])[0]).topk(min(most, len(kept.gold)))
    return [
        (kept.keys[kept.gold[place]][0], similarity)
        for place, similarity in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class _Kept:
    """The contents of the file: the neighbours of each row, the item of each row, and the vectors of gold rows."""

    embedding: Embedding
    keys: Keys
    gold: list[int]
    vectors_GD: Tensor
    gold_NM: Tensor
    similarity_NM: Tensor
    made_of: int
    added: int


def _carried(kept: _Kept, keys: Keys, features: Sequence[ItemFeatures]) -> Nearest | None:
    """Return the kept neighbours for the current pool; None if the pool needs an embedding of its own."""
    is_same = kept.added == 0 and kept.made_of == len(keys) and set(kept.keys) == set(keys)
    if len(keys) <= SMALL_POOL and not is_same:
        return None
    row_of = {key: row for row, key in enumerate(kept.keys)}
    olds = [row_of.get(key, -1) for key in keys]
    added = kept.added + olds.count(-1)
    if added > kept.made_of:
        return None
    vectors_ND = kept.embedding.vectors(features)
    stay = [row for row, old in enumerate(olds) if old >= 0]
    fresh = [row for row, old in enumerate(olds) if old < 0]
    found = _staying(kept, [olds[row] for row in stay], vectors_ND[stay]).extend(vectors_ND[fresh])

    # The first rows of `found` are the items that stay, the others are the new ones. Put them in the pool's order.
    to = torch.tensor([*stay, *fresh], dtype=torch.int64)
    back = torch.argsort(to)
    gold = tuple(sorted(to[list(found.gold)].tolist()))
    neighbours = Neighbours(vectors_ND, gold, _mapped(found.gold_NM, to)[back], found.similarity_NM[back])
    return Nearest(Index(kept.embedding, neighbours), kept.made_of, added)


def _staying(kept: _Kept, olds: Sequence[int], vectors_ND: Tensor) -> Neighbours:
    """Return the neighbours of the kept rows ``olds`` alone.

    Items that had gold of a removed row as a neighbour are searched again.
    """
    removed = sorted(set(kept.gold) - set(olds))
    # The rows of removed gold are appended for now, so that `Neighbours.remove` can remove their gold and search again.
    frame = torch.tensor([*olds, *removed], dtype=torch.int64)
    place = torch.full((len(kept.keys),), -1, dtype=torch.int64)
    place[frame] = torch.arange(len(frame))
    with_removed = Neighbours(
        torch.cat([vectors_ND, torch.zeros(len(removed), vectors_ND.shape[1])]),
        tuple(sorted(place[kept.gold].tolist())),
        _mapped(kept.gold_NM[frame], place),
        kept.similarity_NM[frame],
    )
    count = len(olds)
    left = with_removed.remove(range(count, len(frame)))
    return Neighbours(vectors_ND, left.gold, left.gold_NM[:count], left.similarity_NM[:count])


def _mapped(gold_NM: Tensor, to: Tensor) -> Tensor:
    """Replace each row number n of the table by ``to[n]``; negative entries mean "no neighbour" and stay."""
    return torch.where(gold_NM >= 0, to[gold_NM.clamp(min=0)], gold_NM) if len(to) else gold_NM


def _digest(item: ItemFeatures) -> int:
    """Return a digest of the features that the embedding uses, as 63 bits."""
    digest = hashlib.blake2b("/".join(item.industry).encode(), digest_size=8)
    for part_D in (item.image_C, item.reading_E, item.title_E):
        digest.update(part_D.contiguous().numpy().tobytes())
    return int.from_bytes(digest.digest(), "big") >> 1


def _read(file: Path, space: str) -> _Kept | None:
    """Read the file; return None if it is missing or cannot be used."""
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
            tensors["vectors_GD"],
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

"""Candidates and descriptors of items, kept for the next question: they hang on the item and the words of the lexicon,
not on the version that asks.

Shape suffixes: N candidates, D descriptor entries.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from model.boxes.candidates import Candidates, candidates
from model.boxes.describe import describe, kind_scores
from model.boxes.forest import Floats
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.folder import TensorFolder
from model.features.item import ItemFeatures
from model.lexicon.lexicon import Kind

MOST = 2000
"""Items kept by one process; at 30 to 70 kB each."""

Key = tuple[bytes, tuple[Kind, ...]]
"""An item's content and the words that its text was read with."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Described:
    """What may be an element of one picture: edges of the candidates, their descriptors, and the cold start's opinion.

    ``cold_NL`` has one column for each kind of the lexicon, by name.
    """

    boxes_N4: Tensor
    inputs_ND: Floats
    cold_NL: Floats

    @classmethod
    def of(cls, found: Candidates) -> "Described":
        """The description of these candidates."""
        return cls(found.boxes_N4, describe(found), kind_scores(found, found.scene.kinds))

    def cold(self, kinds: Sequence[str], wanted: str) -> Floats:
        """(N,) the opinion on one of the lexicon's kinds; 0 for a name that is none of them."""
        return self.cold_NL[:, kinds.index(wanted)] if wanted in kinds else np.zeros(len(self.inputs_ND), np.float32)


class Descriptions:
    """The descriptions asked for last, by content: an item read from disk again is the same item. Safe to share
    between threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Described] = OrderedDict()
        self._places: list[_Place] = []
        self._lock = Lock()

    @contextmanager
    def kept_in(self, folder: Path) -> Iterator[None]:
        """Meanwhile they are kept in a folder too, for other processes and the next start.

        Where several threads name one, the last named that is still wanted counts.
        """
        place = _Place(folder)
        with self._lock:
            self._places.append(place)
        try:
            yield
        finally:
            with self._lock:
                self._places.remove(place)

    def of(self, item: ItemFeatures, reader: RoleReader) -> Described:
        """The item's description, computed at its first question."""
        key = (content(item), reader.words)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
            place = self._places[-1] if self._places else None
        described = place.of(key, item, reader) if place else _described(item, reader)
        with self._lock:
            self._kept[key] = described
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return described


RECENT = Descriptions()


class _Place:
    """Descriptions in a folder that processes share. What the disk refuses is told once, and done without."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = TensorFolder(folder / _code(), "descriptions")

    def of(self, key: Key, item: ItemFeatures, reader: RoleReader) -> Described:
        name = blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        described = None
        try:
            described = self._files.get(name, _restored)
            if described is None:
                described = _described(item, reader)
                arrays = {"inputs_ND": described.inputs_ND, "cold_NL": described.cold_NL}
                tensors = {part: torch.from_numpy(values) for part, values in arrays.items()}
                self._files.put(name, {"boxes_N4": described.boxes_N4, **tensors})
        except OSError as error:
            _tell(self._folder, str(error.strerror))
        return described or _described(item, reader)


def _described(item: ItemFeatures, reader: RoleReader) -> Described:
    return Described.of(candidates(Scene.of(item, reader)))


def _restored(tensors: dict[str, Tensor], _strings: dict[str, str]) -> Described:
    return Described(tensors["boxes_N4"], tensors["inputs_ND"].numpy(), tensors["cold_NL"].numpy())


@lru_cache(maxsize=64)
def _tell(folder: Path, reason: str) -> None:
    """Once a process: it would come with every picture."""
    logger.warning("descriptions of pictures cannot be kept in %s (%s): each process computes its own", folder, reason)


@cache
def _code() -> str:
    """Digest of the code that describes, so that what other code has made is not taken for its own."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest()


def content(item: ItemFeatures) -> bytes:
    """Digest of all that candidates and descriptors are made of."""
    digest = blake2b(digest_size=16)
    digest.update(repr((item.size, item.grid_shape, item.title, item.blocks)).encode("utf-8", "surrogatepass"))
    for tensor in (item.thumbnail_HW3, item.grid_RC):
        digest.update(tensor.numpy().tobytes())
    return digest.digest()

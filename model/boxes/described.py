"""Candidates and descriptors of items, kept for the next question: they hang on the item and the words of the lexicon,
not on the version that asks.

Shape suffixes: N candidates, D descriptor entries.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock

from torch import Tensor

from model.boxes.candidates import candidates
from model.boxes.describe import describe
from model.boxes.forest import Floats
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.item import ItemFeatures

MOST = 2000
"""Items kept by one process; at 30 to 70 kB each."""


@dataclass(frozen=True, eq=False)
class Described:
    """What may be an element of one picture: edges of the candidates and their descriptors."""

    boxes_N4: Tensor
    inputs_ND: Floats


class Descriptions:
    """The descriptions asked for last, by content: an item read from disk again is the same item. Safe to share
    between threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Described] = OrderedDict()
        self._lock = Lock()

    def of(self, item: ItemFeatures, reader: RoleReader) -> Described:
        """The item's description, computed at its first question."""
        key = (content(item), reader.words)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        found = candidates(Scene.of(item, reader))
        described = Described(found.boxes_N4, describe(found))
        with self._lock:
            self._kept[key] = described
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return described


RECENT = Descriptions()


def content(item: ItemFeatures) -> bytes:
    """Digest of all that candidates and descriptors are made of."""
    digest = blake2b(digest_size=16)
    digest.update(repr((item.size, item.grid_shape, item.title, item.blocks)).encode("utf-8", "surrogatepass"))
    for tensor in (item.thumbnail_HW3, item.grid_RC):
        digest.update(tensor.numpy().tobytes())
    return digest.digest()

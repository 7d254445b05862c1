"""Descriptions of items (candidates and descriptors), kept for the next time that the same item is needed.

A description depends on the item's content and on the words of the lexicon, not on the version of the model.

Shape suffixes: N candidates, D descriptor entries, L kinds of the lexicon.
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
from model.boxes.describe import KINDS, describe, kind_scores
from model.boxes.forest import Floats
from model.boxes.nms import to_tensor
from model.boxes.prior import FILE, drawn_forest
from model.boxes.roles import RoleReader
from model.boxes.scene import Scene
from model.features.folder import TensorFolder
from model.features.item import ItemFeatures
from model.features.screens import home_of, inside
from model.items import Box
from model.lexicon.lexicon import BUILT_IN, Kind

# The most items that one process keeps, at 30 to 70 kB each.
MOST = 2000

# The modules of this package on whose code a description depends. Those that only answer its trees (forest, masks) are
# not among them: a test compares their answers with a walk node by node, so faster ones change no description.
CODE = (
    "candidates", "contours", "describe", "described", "elements", "grouping", "nms", "objects", "outline", "pixels",
    "prior", "roles", "saliency", "scene",
)  # fmt: skip

# The digest of an item's content, and the words of the lexicon with which its text was read.
Key = tuple[bytes, tuple[Kind, ...]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Described:
    """The candidates of one picture: their edges, their descriptors, and the scores of the cold start.

    ``cold_NL`` has one column for each kind of the lexicon, in the order of ``RoleReader.kinds``. A score is the mean
    of what the cues say and of what drawn pictures taught. The latter knows no kinds of the user's own.
    """

    boxes_N4: Tensor
    inputs_ND: Floats
    cold_NL: Floats

    @classmethod
    def of(cls, found: Candidates) -> "Described":
        """Return the description of these candidates."""
        inputs_ND, cold_NL = describe(found), kind_scores(found, found.scene.kinds)
        drawn_NL = drawn_forest().predict(inputs_ND)
        for column, kind in enumerate(found.scene.kinds):
            if kind in KINDS:
                cold_NL[:, column] = (cold_NL[:, column] + drawn_NL[:, KINDS.index(kind)]) / 2
        return cls(found.boxes_N4, inputs_ND, cold_NL)

    def cold(self, kinds: Sequence[str], wanted: str) -> Floats:
        """Return the cold start's scores (N,) for the kind ``wanted``; zeros where ``kinds`` do not hold the name."""
        return self.cold_NL[:, kinds.index(wanted)] if wanted in kinds else np.zeros(len(self.inputs_ND), np.float32)


class Descriptions:
    """A cache of the descriptions that were used last, safe to share between threads.

    Items are recognised by their content, so an item that is read from disk again has the same description.

        descriptions = Descriptions()
        with descriptions.kept_in(folder):
            described = descriptions.of(item, RoleReader(lexicon))
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Described] = OrderedDict()
        self._places: list[_Place] = []
        self._lock = Lock()

    @contextmanager
    def kept_in(self, folder: Path) -> Iterator[None]:
        """Keep descriptions in ``folder`` too while the context is open, for other processes and the next start.

        Where several threads have a folder open, the folder that was opened last counts.
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
        """Return the item's description, computed only when it is neither in memory nor on disk."""
        key = (content(item), reader.words)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
            place = self._places[-1] if self._places else None
        described = place.of(key, item, reader) if place else described_with(item, reader, ())
        with self._lock:
            self._kept[key] = described
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return described


RECENT = Descriptions()


class _Place:
    """Descriptions in a folder that processes share. A folder that refuses a file is logged once and not used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = TensorFolder(folder / _code(), "descriptions")

    def of(self, key: Key, item: ItemFeatures, reader: RoleReader) -> Described:
        name = _name(key)
        described = None
        try:
            described = self._files.get(
                name, lambda read, _: Described(read["boxes_N4"], read["inputs_ND"].numpy(), read["cold_NL"].numpy())
            )
            if described is None:
                described = described_with(item, reader, ())
                arrays = {"inputs_ND": described.inputs_ND, "cold_NL": described.cold_NL}
                tensors = {part: torch.from_numpy(values) for part, values in arrays.items()}
                self._files.put(name, {"boxes_N4": described.boxes_N4, **tensors})
        except OSError as error:
            _warn_once(self._folder, str(error.strerror))
        return described or described_with(item, reader, ())


def described_with(item: ItemFeatures, reader: RoleReader, drawn: Sequence[Box]) -> Described:
    """Return the description of an item with boxes that an annotator drew; these are its last rows, in order.

    The candidates of a long picture are those of its screens, each described in its screen.
    """
    if len(item.screens) == 1:
        return Described.of(candidates(Scene.of(item, reader)).with_boxes(drawn))
    homes = [home_of(box, item.screens) for box in drawn]
    parts: list[Described] = []
    for number, (screen, part) in enumerate(zip(item.screens, item.on_screens(), strict=True)):
        own = [inside(box, screen) for box, home in zip(drawn, homes, strict=True) if home == number]
        one = Described.of(candidates(Scene.of(part, reader)).with_boxes(own))
        scale_4 = torch.tensor([screen.width, screen.height] * 2)
        edges_N4 = one.boxes_N4 * scale_4 + torch.tensor([screen.left, screen.top] * 2)
        parts.append(Described(edges_N4.clamp(0, 1), one.inputs_ND, one.cold_NL))
    ends = np.cumsum([len(part.inputs_ND) for part in parts])
    found = Described(
        torch.cat([part.boxes_N4 for part in parts]),
        np.concatenate([part.inputs_ND for part in parts]),
        np.concatenate([part.cold_NL for part in parts]),
    )
    # The rows of a screen end with the boxes that were drawn on it.
    left = [homes.count(number) for number in range(len(parts))]
    own_rows = []
    for home in homes:
        own_rows.append(int(ends[home]) - left[home])
        left[home] -= 1
    others = np.setdiff1d(np.arange(len(found.inputs_ND)), own_rows)
    order = np.concatenate([others, np.array(own_rows, dtype=np.int64)])
    edges_N4 = torch.cat([found.boxes_N4[torch.from_numpy(others)], to_tensor(drawn)])
    return Described(edges_N4, found.inputs_ND[order], found.cold_NL[order])


@lru_cache(maxsize=64)
def _warn_once(folder: Path, reason: str) -> None:
    """Log that a folder cannot be used; cached, because every picture would repeat the warning."""
    logger.warning("descriptions of pictures cannot be kept in %s (%s): each process computes its own", folder, reason)


def forgotten(folder: Path, item: ItemFeatures, reader: RoleReader) -> None:
    """Delete the item's description in ``folder``, of whatever release; OSError if the disk refuses."""
    name = _name((content(item), reader.words))
    for file in folder.glob(f"*/{name[:2]}/{name}.safetensors"):
        file.unlink(missing_ok=True)


def _name(key: Key) -> str:
    return blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@cache
def _code() -> str:
    """Return a digest of the code that describes, the cues' code, and the shipped trees: files of others are no use."""
    own = [Path(__file__).parent / f"{name}.py" for name in CODE]
    files = [*own, FILE, *sorted(BUILT_IN.parent.glob("*.py"))]
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest()


def content(item: ItemFeatures) -> bytes:
    """Return a digest of all parts of an item on which candidates and descriptors depend."""
    digest = blake2b(digest_size=16)
    parts = (item.size, item.grid_shape, item.title, item.blocks, item.said.boxes)
    digest.update(repr(parts).encode("utf-8", "surrogatepass"))
    for tensor in (item.thumbnail_HW3, item.grid_RC):
        digest.update(tensor.numpy().tobytes())
    return digest.digest()

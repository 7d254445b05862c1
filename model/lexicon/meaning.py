"""The meaning of a name: the kind of the lexicon whose phrases a sentence encoder puts nearest to it.

A kind's phrases are its names and those of ``meaning.toml``. Nearness is the mean of two cosines: to the mean of the
phrases, and on average to the three nearest of them, which tells synonyms of one phrase. Vectors of a sentence encoder
all point in about one direction, so the mean of phrases about anything else is subtracted first (Mu and Viswanath,
All-but-the-Top, 2018).

Shape suffixes: N texts, P phrases of one kind, K kinds, E vector width.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.encoders.sentences import SentenceEncoder
from model.lexicon.lexicon import Lexicon

PHRASES = Path(__file__).with_name("meaning.toml")
NEAR = 0.385
"""The least nearness at which a name is taken for a kind; docs/results.md says how it was chosen."""
APART = 0.02
"""By so much the nearest kind must be nearer than the next one."""
NEAR_LEFT = 0.28
"""The least nearness to the one kind that no other label of the project has."""
MOST_PHRASES = 200
"""At most so many names of one kind are encoded, the first ones."""


@dataclass(frozen=True)
class Nearest:
    """The kind nearest to a name, how near it is, and by how much nearer than the next kind."""

    kind: str = ""
    nearness: float = 0.0
    apart: float = 0.0

    @property
    def is_meant(self) -> bool:
        """Whether the name may be taken for the kind."""
        return self.nearness >= NEAR and self.apart >= APART

    def is_left(self, kind: str) -> bool:
        """Return whether the name may be taken for ``kind``, the only one that no other label of the project has."""
        return self.kind == kind and self.nearness >= NEAR_LEFT


def nearest(lexicon: Lexicon, encoder: SentenceEncoder, names: Sequence[str]) -> list[Nearest]:
    """Return the kind nearest to each name. Raises OSError if the encoder fails."""
    if not names or not lexicon.kinds:
        return [Nearest()] * len(names)
    phrases = tuple((kind.name, *kind.aliases[:MOST_PHRASES]) for kind in lexicon.kinds.values())
    origin_E, kinds_PE = _phrases(encoder, tuple(lexicon.kinds), phrases)
    vector_NE = _unit(encoder.vectors([name.casefold() for name in names]) - origin_E)
    near_NK = np.stack([_nearness(vector_NE, phrase_PE) for phrase_PE in kinds_PE], axis=1)
    sorted_NK = np.sort(near_NK, axis=1)
    next_N = sorted_NK[:, -2] if len(kinds_PE) > 1 else np.full(len(names), -1.0)
    kinds = list(lexicon.kinds)
    return [
        Nearest(kinds[k], float(nearness), float(nearness - then))
        for k, nearness, then in zip(near_NK.argmax(axis=1), sorted_NK[:, -1], next_N, strict=True)
    ]


def words_of_kinds() -> Mapping[str, Sequence[str]]:
    """Return single words that speak for each kind."""
    words: Mapping[str, Sequence[str]] = _tables()["words"]
    return words


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(PHRASES.read_text(encoding="utf-8"))


def _nearness(vector_NE: NDArray[np.float32], phrase_PE: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the nearness (N,) of names to one kind."""
    mean_1E = _unit(phrase_PE.mean(axis=0, keepdims=True))
    nearest_N3 = np.sort(vector_NE @ phrase_PE.T, axis=1)[:, -3:]
    nearness_N: NDArray[np.float32] = ((vector_NE @ mean_1E.T)[:, 0] + nearest_N3.mean(axis=1)) / 2
    return nearness_N


@lru_cache(maxsize=4)
def _phrases(
    encoder: SentenceEncoder, kinds: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return the origin (E,) and for each kind its phrases' unit vectors (P, E); kept, because it takes seconds."""
    tables = _tables()
    others = tables["others"]["phrases"]
    every = [(*own, *tables["descriptions"].get(kind, ())) for kind, own in zip(kinds, phrases, strict=True)]
    # All of them in one call, since each call starts a process.
    vector_NE = encoder.vectors([*others, *(phrase.casefold() for own in every for phrase in own)])
    origin_E = vector_NE[: len(others)].mean(axis=0)
    ends = np.cumsum([len(others), *map(len, every)])
    return origin_E, [_unit(vector_NE[start:end] - origin_E) for start, end in pairwise(ends)]


def _unit(vector_NE: NDArray[np.float32]) -> NDArray[np.float32]:
    length_N1: NDArray[np.float32] = np.maximum(np.linalg.norm(vector_NE, axis=1, keepdims=True), np.float32(1e-9))
    return vector_NE / length_N1

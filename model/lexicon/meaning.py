"""The meaning of a name: the kind of the lexicon whose phrases a sentence encoder puts nearest to it.

A kind's phrases are its names and those of ``meaning.toml``. Vectors of a sentence encoder all point in about one
direction, so the mean of phrases about anything else is subtracted first (Mu and Viswanath, All-but-the-Top, 2018).

Shape suffixes: N texts, K kinds, E vector width.
"""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.encoders.sentences import SentenceEncoder
from model.lexicon.lexicon import Lexicon

PHRASES = Path(__file__).with_name("meaning.toml")
NEAR = 0.32
"""The least cosine to a kind's mean phrase at which a name is taken for it; `bench.label_names` says how chosen."""
APART = 0.05
"""By so much the nearest kind must be nearer than the next one."""
MOST_PHRASES = 200
"""At most so many names of one kind are encoded, the first ones."""


def nearest(lexicon: Lexicon, encoder: SentenceEncoder, names: Sequence[str]) -> list[str]:
    """Return for each name the kind that it means, "" where no kind is near. Raises OSError if the encoder fails."""
    if not names or not lexicon.kinds:
        return [""] * len(names)
    phrases = tuple((kind.name, *kind.aliases[:MOST_PHRASES]) for kind in lexicon.kinds.values())
    origin_E, kinds_KE = _directions(encoder, tuple(lexicon.kinds), phrases)
    cosine_NK = _centred(encoder.vectors([name.casefold() for name in names]), origin_E) @ kinds_KE.T
    sorted_NK = np.sort(cosine_NK, axis=1)
    next_N = sorted_NK[:, -2] if len(kinds_KE) > 1 else np.full(len(names), -1.0)
    is_near_N = (sorted_NK[:, -1] >= NEAR) & (sorted_NK[:, -1] - next_N >= APART)
    kinds = list(lexicon.kinds)
    return [kinds[k] if near else "" for k, near in zip(cosine_NK.argmax(axis=1), is_near_N, strict=True)]


@lru_cache(maxsize=4)
def _directions(
    encoder: SentenceEncoder, kinds: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the origin (E,) and the unit vectors (K, E) of the kinds' mean phrases; kept, because it takes seconds."""
    tables = tomllib.loads(PHRASES.read_text(encoding="utf-8"))
    others = tables["others"]["phrases"]
    every = [(*own, *tables["descriptions"].get(kind, ())) for kind, own in zip(kinds, phrases, strict=True)]
    # All of them in one call, since each call starts a process.
    vector_NE = encoder.vectors([*others, *(phrase.casefold() for own in every for phrase in own)])
    origin_E = vector_NE[: len(others)].mean(axis=0)
    ends = np.cumsum([len(others), *map(len, every)])
    means = [_centred(vector_NE[a:b], origin_E).mean(axis=0) for a, b in pairwise(ends)]
    return origin_E, _unit(np.stack(means))


def _centred(vector_NE: NDArray[np.float32], origin_E: NDArray[np.float32]) -> NDArray[np.float32]:
    return _unit(vector_NE - origin_E)


def _unit(vector_NE: NDArray[np.float32]) -> NDArray[np.float32]:
    length_N1: NDArray[np.float32] = np.maximum(np.linalg.norm(vector_NE, axis=1, keepdims=True), np.float32(1e-9))
    return vector_NE / length_N1

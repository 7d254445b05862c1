"""Texts without a trained encoder: each character stands for the character n-grams that start at it.

N-grams as parts of a word's vector: Bojanowski et al., Enriching Word Vectors with Subword Information, 2017; their
vectors here are signed hashes (Weinberger et al., Feature Hashing, 2009), so that there is nothing to train and no word
is unknown.

Shape suffixes: T tokens, E text width.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.encoders import fingerprints
from model.encoders.protocols import EncodedText

WIDTH = 256
LONGEST_GRAM = 3  # characters
LONGEST = 64  # characters of one text
PLACES = 4  # columns that one n-gram marks
KEPT = 65_536  # n-grams whose vectors are kept, at 1 kB each


class CharacterNgrams:
    """See TextEncoder. The first token is the whole text's vector, where a transformer has its start token."""

    width = WIDTH
    fingerprint = fingerprints.of_words("character n-grams", WIDTH, LONGEST_GRAM, LONGEST, PLACES)

    def describe(self) -> str:
        return f"character n-grams up to {LONGEST_GRAM}, hashed (nothing trained)"

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Each text's characters; case does not count."""
        return [_encoded("".join(text.casefold().split())[:LONGEST]) for text in texts]


def _encoded(text: str) -> EncodedText:
    if not text:
        return EncodedText(torch.zeros(0, WIDTH), torch.zeros(WIDTH))
    character_TE = normalize(torch.stack([_start(text[at : at + LONGEST_GRAM]) for at in range(len(text))]), dim=1)
    pooled_E = character_TE.mean(0)
    return EncodedText(torch.cat([pooled_E[None], character_TE]), pooled_E)


def _start(gram: str) -> Tensor:
    """(E,) sum over the n-grams that begin a text."""
    return torch.stack([_vector(gram[:length]) for length in range(1, len(gram) + 1)]).sum(0)


@lru_cache(KEPT)
def _vector(gram: str) -> Tensor:
    """(E,) with ±1 in a few columns, by the n-gram alone."""
    digest = blake2b(gram.encode(), digest_size=2 * PLACES).digest()
    vector_E = torch.zeros(WIDTH)
    for place, sign in zip(digest[::2], digest[1::2], strict=True):
        vector_E[place % WIDTH] += 1.0 if sign % 2 else -1.0
    return vector_E

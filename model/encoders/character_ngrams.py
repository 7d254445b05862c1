"""A text encoder without training: the vector of a character is the sum of the n-grams that start at the character.

N-grams as parts of a word's vector are those of Bojanowski et al., Enriching Word Vectors with Subword Information,
2017. The vectors of n-grams are signed hashes (Weinberger et al., Feature Hashing, 2009), so no training is needed and
no word is unknown.

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
# Characters of the longest n-gram.
LONGEST_GRAM = 3
# Characters of a text that are encoded.
LONGEST = 64
# Columns that one n-gram marks.
PLACES = 4
# The vectors of so many n-grams are kept in memory, at 1 kB each.
KEPT = 65_536


class CharacterNgrams:
    """A TextEncoder. The first token is the vector of the whole text, in place of a transformer's start token."""

    width = WIDTH
    fingerprint = fingerprints.of_words("character n-grams", WIDTH, LONGEST_GRAM, LONGEST, PLACES)

    def describe(self) -> str:
        return f"character n-grams up to {LONGEST_GRAM}, hashed (nothing trained)"

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Return one token for each character of a text, without spaces; upper and lower case are the same."""
        encoded = []
        for text in ("".join(text.casefold().split())[:LONGEST] for text in texts):
            grams = [text[at : at + LONGEST_GRAM] for at in range(len(text))]
            if not grams:
                encoded.append(EncodedText(torch.zeros(0, WIDTH), torch.zeros(WIDTH)))
                continue
            sums = [torch.stack([_vector(gram[: end + 1]) for end in range(len(gram))]).sum(0) for gram in grams]
            character_TE = normalize(torch.stack(sums), dim=1)
            pooled_E = character_TE.mean(0)
            encoded.append(EncodedText(torch.cat([pooled_E[None], character_TE]), pooled_E))
        return encoded


@lru_cache(KEPT)
def _vector(gram: str) -> Tensor:
    """Return a vector (E,) with ±1 in a few columns, which depend on the n-gram alone."""
    digest = blake2b(gram.encode(), digest_size=2 * PLACES).digest()
    vector_E = torch.zeros(WIDTH)
    for place, sign in zip(digest[::2], digest[1::2], strict=True):
        vector_E[place % WIDTH] += 1.0 if sign % 2 else -1.0
    return vector_E

"""One vector of 512 half-precision numbers for an item, whatever the encoders' widths.

The vector is four parts side by side, each of unit length times the root of its weight, so that the inner product of
two vectors is the weighted mean of the parts' cosines. A part that an item lacks is zero and adds nothing.

- *Picture*: the pooled vector, each number replaced by its signed root, of unit length, centred, in the directions
  along which items differ most, each divided by the root of its spread (whitening by half).
- *Read text* and *title* (with further texts): counts of character n-grams, weighted by rareness (TF-IDF), in latent
  directions (latent semantic analysis, Deerwester et al., 1990). What these directions do not hold, such as words that
  no item had when the projection was made, is kept by a random projection.
- *Industry*: one entry for each level, by a hash.

Means, directions and rareness are those of the items that the projection was made of. Few items hardly move the
picture's directions: they count beside ``PRIOR`` made-up items that differ in all directions alike.

Shape suffixes: N items, D the 512 columns, C width of a picture's vector, P of its part, B buckets of n-grams, L latent
directions, R random ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from torch import Tensor
from torch.nn.functional import normalize

from model.features.item import ItemFeatures, hashed_industry
from model.tensor_files import digest

WIDTH = 512
PARTS = {"picture": 192, "reading": 128, "title": 128, "industry": 64}
"""The columns of each part, in this order."""
WEIGHTS = {"picture": 0.32, "reading": 0.16, "title": 0.46, "industry": 0.06}
"""The weight of each part in the inner product; chosen on labelled pictures (docs/results.md)."""
BUCKETS = 1 << 14
LATENT = 96
PRIOR = 64
"""Made-up items that differ in all directions alike."""
REST = 0.2
"""The weight of what the latent directions do not hold: with more, the noise of random directions costs recall."""
MOST = 4096
"""The most items that a projection is made of, drawn by a fixed seed."""
SEED = 20261130
VERSION = "1"


@dataclass(frozen=True)
class Projection:
    """A map from items to vectors of one width, made of some items and fixed from then on.

    projection = Projection.of(items)
    vectors_ND = projection.vectors(items)
    """

    mean_C: Tensor
    whitening_CP: Tensor
    rareness_B: Tensor
    latent_LB: Tensor  # float16
    made_of: int

    @classmethod
    def of(cls, items: Sequence[ItemFeatures]) -> "Projection":
        """Make the projection of these items. Raises ValueError if there are none."""
        if not items:
            raise ValueError("a projection needs at least one item to be made of")
        chosen = np.random.default_rng(SEED).permutation(len(items))[:MOST]
        sample = [items[place] for place in sorted(chosen.tolist())]
        mean_C, whitening_CP = _whitening(_rooted([item.image_C for item in sample]))
        rareness_B, latent_LB = _latent([text for item in sample for text in (title_of(item), reading_of(item))])
        return cls(mean_C, whitening_CP, rareness_B, latent_LB, len(items))

    @property
    def digest(self) -> str:
        """A name of the projection's content: vectors of two digests cannot be compared."""
        return digest(self.state(), {"version": VERSION})[:16]

    def vectors(self, items: Sequence[ItemFeatures]) -> Tensor:
        """Return the (N, 512) float16 vectors of items. Raises ValueError for items of other encoders."""
        if not items:
            return torch.zeros(0, WIDTH, dtype=torch.float16)
        parts = {
            "picture": self._pictures([item.image_C for item in items]),
            "reading": self._texts([reading_of(item) for item in items]),
            "title": self._texts([title_of(item) for item in items]),
            "industry": _industries(items),
        }
        return _joined(parts)

    def words(self, text: str) -> Tensor:
        """Return the (512,) float16 vector of words, which are looked for in titles and in read text alike."""
        words_1 = self._texts([text])
        return _joined({"reading": words_1, "title": words_1})[0]

    def state(self) -> dict[str, Tensor]:
        """Return the tensors for a file."""
        return {
            "mean_C": self.mean_C, "whitening_CP": self.whitening_CP, "rareness_B": self.rareness_B,
            "latent_LB": self.latent_LB, "made_of": torch.tensor(self.made_of),
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Projection":
        """Make the projection again from ``state``. Raises KeyError where a tensor is missing."""
        tensors = {name: state[name] for name in ("mean_C", "whitening_CP", "rareness_B", "latent_LB")}
        return cls(**tensors, made_of=int(state["made_of"]))

    def _pictures(self, images: Sequence[Tensor]) -> Tensor:
        if any(len(image_C) != len(self.mean_C) for image_C in images):
            raise ValueError("the items are of another picture encoder than the projection")
        rooted_NC = _rooted(images)
        missing_N1 = (rooted_NC.abs().sum(1, keepdim=True) == 0).float()
        return normalize((rooted_NC - self.mean_C) @ self.whitening_CP, dim=1) * (1 - missing_N1)

    def _texts(self, texts: Sequence[str]) -> Tensor:
        """Return the (N, 128) parts of texts, of unit length; zeros for texts without a character."""
        weighted_NB = _weighted(texts, self.rareness_B)
        latent_LB = self.latent_LB.float().numpy()
        latent_NL = weighted_NB @ latent_LB.T
        rest = PARTS["title"] - LATENT
        random_RB = _random(rest)
        # A random projection of what the latent directions leave: x − VᵀVx, by linearity.
        random_NR = weighted_NB @ random_RB.T - latent_NL @ (latent_LB @ random_RB.T)
        joined = np.concatenate([latent_NL, REST * random_NR / np.sqrt(rest)], axis=1)
        return normalize(torch.from_numpy(joined).float(), dim=1)


def title_of(item: ItemFeatures) -> str:
    """Return an item's title and further texts."""
    return " ".join([item.title, *item.texts.values()]).strip()


def reading_of(item: ItemFeatures) -> str:
    """Return all that was read in an item's picture."""
    return " ".join(block.text for block in item.blocks if block.is_text)


def picture_part(vectors_ND: Tensor) -> Tensor:
    """Return the pictures' parts of vectors, in float32 and of unit length (zeros without a picture)."""
    return normalize(vectors_ND[:, : PARTS["picture"]].float(), dim=1)


def _joined(parts: dict[str, Tensor]) -> Tensor:
    """Return the parts side by side, each times the root of its weight; missing parts are zero."""
    rows = len(next(iter(parts.values())))
    columns = []
    for name, width in PARTS.items():
        part_NW = parts.get(name, torch.zeros(rows, width))
        columns.append(torch.nn.functional.pad(part_NW, (0, width - part_NW.shape[1])) * WEIGHTS[name] ** 0.5)
    return torch.cat(columns, dim=1).half()


def _rooted(images: Sequence[Tensor]) -> Tensor:
    image_NC = torch.stack([image_C.float() for image_C in images])
    return normalize(image_NC.sign() * image_NC.abs().sqrt(), dim=1)


def _whitening(rooted_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean, and the directions of the largest spread, divided by the root of the spread."""
    seen_NC = rooted_NC[rooted_NC.abs().sum(1) > 0]
    width = rooted_NC.shape[1]
    if not len(seen_NC) or not width:
        return torch.zeros(width), torch.eye(width)[:, : PARTS["picture"]]
    mean_C = seen_NC.mean(0)
    centred_NC = (seen_NC - mean_C).double()
    scatter_CC = centred_NC.T @ centred_NC
    share = max(float(scatter_CC.trace()), 1e-9) / (len(seen_NC) * width)
    spread_CC = (scatter_CC + PRIOR * share * torch.eye(width)) / (len(seen_NC) + PRIOR)
    values_C, vectors_CC = torch.linalg.eigh(spread_CC)
    kept = slice(max(0, width - PARTS["picture"]), width)
    whitening_CP = vectors_CC[:, kept] / values_C[kept].clamp(min=1e-12) ** 0.25
    return mean_C, whitening_CP.flip(1).float().contiguous()


def _latent(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return the rareness of each n-gram, and the latent directions of these texts."""
    spoken = [text for text in dict.fromkeys(texts) if text]
    counts_NB = _counts(spoken)
    held_B = np.asarray((counts_NB > 0).sum(0)).reshape(-1)
    rareness_B = torch.from_numpy(np.log((1 + len(spoken)) / (1 + held_B)) + 1).float()
    latent_LB = torch.zeros(LATENT, BUCKETS, dtype=torch.float16)
    # Fewer texts do not show what goes together.
    found = min(LATENT, len(spoken) // 4)
    if found >= 2:
        solver = TruncatedSVD(found, algorithm="randomized", random_state=SEED % (1 << 31))
        solver.fit(_weighted(spoken, rareness_B))
        latent_LB[:found] = torch.from_numpy(solver.components_).half()
    return rareness_B, latent_LB


def _counts(texts: Sequence[str]) -> csr_matrix:
    vectorizer = HashingVectorizer(
        analyzer="char", ngram_range=(1, 3), n_features=BUCKETS, norm=None, alternate_sign=False, dtype=np.float32
    )
    counts: csr_matrix = vectorizer.transform([text.casefold() for text in texts])
    counts.data = 1 + np.log(counts.data)
    return counts


def _weighted(texts: Sequence[str], rareness_B: Tensor) -> csr_matrix:
    weighted = _counts(texts).multiply(rareness_B.numpy()).tocsr()
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1))).clip(1e-9)
    found: csr_matrix = weighted.multiply(1 / lengths).tocsr()
    return found


def _random(rows: int) -> NDArray[np.float32]:
    signs = np.random.default_rng(SEED).integers(0, 2, (rows, BUCKETS)).astype(np.float32)
    return 2 * signs - 1


def _industries(items: Sequence[ItemFeatures]) -> Tensor:
    hashed = torch.stack([hashed_industry(item.industry) for item in items])
    width = PARTS["industry"]
    # Two halves of the hash share the columns.
    return normalize(hashed[:, :width] + hashed[:, width : 2 * width], dim=1)

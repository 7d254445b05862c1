"""KNN propagation: labels travel from gold items to their nearest neighbours under a frozen embedding.

The embedding is made of encoder features, not of the trained fusion, so that it does not move while the network learns.
Search is exact and incremental: new gold costs N × ΔG inner products, removed gold re-scans only the items that had it
among their neighbours. The result equals a search from scratch (similarities within 1e-4, the noise of blocked
products).

Shape suffixes: N items, G gold items, K classes, M neighbours kept per item, D width of the embedding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.features.item import ItemFeatures, hashed_industry

NEIGHBOURS = 24
BLOCK = 4096
PARTS = ("image", "reading", "title", "industry")
WEIGHTS = {"image": 0.4, "reading": 0.4, "title": 0.1, "industry": 0.1}
"""Share of each part in the inner product: a view's look and its read text tell views apart, title and industry do
not."""


@dataclass(frozen=True)
class Embedding:
    """Maps items to vectors: centred, L2-normalised parts side by side. The means are frozen when it is made.

    Neighbours found under one embedding mean nothing under another (other encoders, or means of another pool).
    """

    means: dict[str, Tensor]

    @classmethod
    def of(cls, items: Sequence[ItemFeatures]) -> "Embedding":
        """Make the embedding that is centred on these items. ValueError without items."""
        if not items:
            raise ValueError("an embedding needs at least one item to be centred on")
        return cls({part: _part(items, part).mean(0) for part in PARTS})

    def vectors(self, items: Sequence[ItemFeatures]) -> Tensor:
        """(N, D) float32; a missing modality is a part of zeros, so that it takes no side."""
        parts = []
        for part in PARTS:
            raw_ND = _part(items, part)
            missing_N1 = (raw_ND.abs().sum(1, keepdim=True) == 0).float()
            centred_ND = normalize(raw_ND - self.means[part], dim=1) * (1 - missing_N1)
            parts.append(centred_ND * WEIGHTS[part] ** 0.5)
        return torch.cat(parts, dim=1)


def _part(items: Sequence[ItemFeatures], part: str) -> Tensor:
    if part == "industry":
        return torch.stack([hashed_industry(item.industry) for item in items])
    columns = {"image": "image_C", "reading": "reading_E", "title": "title_E"}
    raw_ND = torch.stack([getattr(item, columns[part]).float() for item in items])
    return normalize(raw_ND, dim=1)


@dataclass(frozen=True)
class Neighbours:
    """The M most similar gold items of every item. ``gold_NM`` holds row numbers of ``vectors_ND``, -1 where there
    are fewer.

    Immutable: ``add``, ``remove`` and ``extend`` return the next state. An item is never its own neighbour.
    """

    vectors_ND: Tensor
    gold: tuple[int, ...]
    gold_NM: Tensor
    similarity_NM: Tensor

    @classmethod
    def empty(cls, vectors_ND: Tensor, *, neighbours: int = NEIGHBOURS) -> "Neighbours":
        """No gold yet."""
        shape = (len(vectors_ND), neighbours)
        return cls(vectors_ND, (), torch.full(shape, -1, dtype=torch.int64), torch.full(shape, -torch.inf))

    def add(self, gold: Iterable[int]) -> "Neighbours":
        """Gold more: N × ΔG inner products."""
        new = sorted(set(gold) - set(self.gold))
        if not new:
            return self
        gold_NM, similarity_NM = self._merged(torch.arange(len(self.vectors_ND)), new, self.gold_NM, self.similarity_NM)
        return replace(self, gold=tuple(sorted((*self.gold, *new))), gold_NM=gold_NM, similarity_NM=similarity_NM)

    def remove(self, gold: Iterable[int]) -> "Neighbours":
        """Gold less: only items that had one of these among their neighbours are searched again, over all gold left."""
        gone = set(gold) & set(self.gold)
        if not gone:
            return self
        left = tuple(g for g in self.gold if g not in gone)
        hit_N = torch.isin(self.gold_NM, torch.tensor(sorted(gone))).any(1)
        rows = hit_N.nonzero()[:, 0]
        gold_NM, similarity_NM = self.gold_NM.clone(), self.similarity_NM.clone()
        blank = Neighbours.empty(self.vectors_ND[rows], neighbours=gold_NM.shape[1])
        gold_NM[rows], similarity_NM[rows] = self._merged(rows, left, blank.gold_NM, blank.similarity_NM)
        return replace(self, gold=left, gold_NM=gold_NM, similarity_NM=similarity_NM)

    def extend(self, vectors_ND: Tensor) -> "Neighbours":
        """Items more: they are searched over the gold there is."""
        blank = Neighbours.empty(vectors_ND, neighbours=self.gold_NM.shape[1])
        grown = Neighbours(
            torch.cat([self.vectors_ND, vectors_ND]),
            self.gold,
            torch.cat([self.gold_NM, blank.gold_NM]),
            torch.cat([self.similarity_NM, blank.similarity_NM]),
        )
        rows = torch.arange(len(self.vectors_ND), len(grown.vectors_ND))
        found_NM, similarity_NM = grown._merged(rows, self.gold, blank.gold_NM, blank.similarity_NM)
        gold_NM, all_NM = grown.gold_NM.clone(), grown.similarity_NM.clone()
        gold_NM[rows], all_NM[rows] = found_NM, similarity_NM
        return replace(grown, gold_NM=gold_NM, similarity_NM=all_NM)

    def with_gold(self, gold: Iterable[int]) -> "Neighbours":
        """The state for exactly this gold, by the cheapest way from here."""
        wanted = set(gold)
        return self.remove(set(self.gold) - wanted).add(wanted)

    def _merged(
        self, rows: Tensor, gold: Sequence[int], old_NM: Tensor, old_similarity_NM: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Best M of the old neighbours and of ``gold``, for these rows."""
        if not gold or not len(rows):
            return old_NM, old_similarity_NM
        gold_G = torch.tensor(list(gold))
        merged = [
            _best(
                rows[at : at + BLOCK],
                self.vectors_ND,
                gold_G,
                old_NM[at : at + BLOCK],
                old_similarity_NM[at : at + BLOCK],
            )
            for at in range(0, len(rows), BLOCK)
        ]
        return torch.cat([found for found, _ in merged]), torch.cat([similarity for _, similarity in merged])

    def tensors(self) -> dict[str, Tensor]:
        """State for safetensors (without the vectors, which come from the features)."""
        return {
            "gold": torch.tensor(self.gold, dtype=torch.int64),
            "gold_NM": self.gold_NM,
            "similarity_NM": self.similarity_NM,
        }


@dataclass(frozen=True)
class Index:
    """The nearest gold of each item of a pool, and the embedding under which it is near."""

    embedding: Embedding
    neighbours: Neighbours

    @classmethod
    def of(cls, pool: Sequence[ItemFeatures]) -> "Index":
        """Make an index of this pool without any gold yet."""
        embedding = Embedding.of(pool)
        return cls(embedding, Neighbours.empty(embedding.vectors(pool)))

    def with_gold(self, gold: Iterable[int]) -> "Index":
        """Return the index of exactly this gold, by rows of the pool."""
        return replace(self, neighbours=self.neighbours.with_gold(gold))


def _best(
    rows: Tensor, vectors_ND: Tensor, gold_G: Tensor, old_NM: Tensor, old_similarity_NM: Tensor
) -> tuple[Tensor, Tensor]:
    similarity_NG = vectors_ND[rows] @ vectors_ND[gold_G].T
    similarity_NG = similarity_NG.masked_fill(rows[:, None] == gold_G[None, :], -torch.inf)
    gold_NG = gold_G.expand(len(rows), -1).masked_fill(similarity_NG == -torch.inf, -1)
    all_NJ, similarity_NJ = torch.cat([old_NM, gold_NG], 1), torch.cat([old_similarity_NM, similarity_NG], 1)
    similarity_NM, places_NM = similarity_NJ.topk(old_NM.shape[1], dim=1)
    return all_NJ.gather(1, places_NM), similarity_NM


def votes(
    neighbours: Neighbours, labels_NK: Tensor, families: Sequence[str], *, of: int = 10, sharpness: float = 8.0
) -> Tensor:
    """(N, K) log-odds from the neighbours' labels, weighted by exp(sharpness × similarity); 0 where nobody votes.

    An item's own family does not vote on gold items: its views share title and look, and their agreement would make
    propagation look better on gold than it is elsewhere. One vote of the pool's own share is added for each class, so
    that few or far neighbours say little (Laplace smoothing towards the share).
    """
    family = {name: number for number, name in enumerate(dict.fromkeys(families))}
    family_N = torch.tensor([family[name] for name in families])
    is_gold_N = torch.zeros(len(labels_NK), dtype=torch.bool)
    is_gold_N[list(neighbours.gold)] = True
    gold_NM = neighbours.gold_NM
    own_NM = (family_N[gold_NM.clamp(min=0)] == family_N[:, None]) & is_gold_N[:, None]
    allowed_NM = (gold_NM >= 0) & ~own_NM
    allowed_NM &= allowed_NM.cumsum(1) <= of
    return _vote(gold_NM, neighbours.similarity_NM, allowed_NM, labels_NK, list(neighbours.gold), sharpness)


def _vote(
    gold_NM: Tensor, similarity_NM: Tensor, allowed_NM: Tensor, labels_NK: Tensor, gold: list[int], sharpness: float
) -> Tensor:
    if not gold:
        return torch.zeros_like(labels_NK, dtype=torch.float64)
    known_K = (~labels_NK[gold].isnan()).sum(0)
    share_K = ((labels_NK[gold].nan_to_num(0.0).sum(0) + 1) / (known_K + 2)).double()
    weight_NM = torch.exp(sharpness * (similarity_NM.double() - 1)).masked_fill(~allowed_NM, 0.0)
    votes_NMK = labels_NK[gold_NM.clamp(min=0)].double()
    weight_NMK = weight_NM[:, :, None] * ~votes_NMK.isnan()
    prior = torch.exp(torch.tensor(-sharpness / 2, dtype=torch.float64))
    share_NK = ((weight_NMK * votes_NMK.nan_to_num(0.0)).sum(1) + prior * share_K) / (weight_NMK.sum(1) + prior)
    return torch.logit(share_NK.clamp(0.01, 0.99)) - torch.logit(share_K.clamp(0.01, 0.99))

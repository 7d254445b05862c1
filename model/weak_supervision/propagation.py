"""KNN propagation: each item gets an opinion from the labels of its most similar gold items.

Similarity is the inner product of two items under a frozen embedding. The embedding consists of encoder features, not
of the network's output, so that it stays the same while the network is trained. The search is exact and incremental:
adding gold costs N × ΔG inner products, and removing gold searches again only for the items that had it among their
neighbours. The result equals that of a new search (similarities within 1e-4, because blocked products round
differently).

Shape suffixes: N items, G gold items, K classes, M neighbours kept per item, D width of the embedding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.features.item import ItemFeatures, hashed_industry
from model.weak_supervision.best import Best, GoldVectors, best_among

NEIGHBOURS = 24
"""Gold items kept for each item. Fewer of them vote, so that enough are left where the item's own family may not."""
PARTS = ("image", "reading", "title", "industry")
WEIGHTS = {"image": 0.4, "reading": 0.4, "title": 0.1, "industry": 0.1}
"""The weight of each part in the inner product. The picture and the read text differ between the views of one product;
title and industry do not."""


@dataclass(frozen=True)
class Embedding:
    """A map from items to vectors, which are the concatenation of their parts, each centred and L2-normalised.

    The means are fixed when the embedding is made. Neighbours that were found under one embedding are useless under
    another, which has other encoders or the means of another pool.
    """

    means: dict[str, Tensor]

    @classmethod
    def of(cls, items: Sequence[ItemFeatures]) -> "Embedding":
        """Make the embedding that is centred on these items. Raises ValueError if there are none."""
        if not items:
            raise ValueError("an embedding needs at least one item to be centred on")
        return cls({part: _part(items, part).mean(0) for part in PARTS})

    def vectors(self, items: Sequence[ItemFeatures]) -> Tensor:
        """Return the (N, D) float32 vectors of items."""
        parts = []
        for part in PARTS:
            raw_ND = _part(items, part)
            # A missing part stays zero after centring, so that it adds 0 to each inner product.
            missing_N1 = (raw_ND.abs().sum(1, keepdim=True) == 0).float()
            centred_ND = normalize(raw_ND - self.means[part], dim=1) * (1 - missing_N1)
            parts.append(centred_ND * WEIGHTS[part] ** 0.5)
        return torch.cat(parts, dim=1)


def _part(items: Sequence[ItemFeatures], part: str) -> Tensor:
    """Return one part of the items' vectors, L2-normalised and not centred."""
    if part == "industry":
        return torch.stack([hashed_industry(item.industry) for item in items])
    columns = {"image": "image_C", "reading": "reading_E", "title": "title_E"}
    raw_ND = torch.stack([getattr(item, columns[part]).float() for item in items])
    return normalize(raw_ND, dim=1)


@dataclass(frozen=True)
class Neighbours:
    """The M most similar gold items of every item; an item is never its own neighbour.

    ``gold_NM`` holds row numbers of ``vectors_ND``, the most similar first, and -1 behind the last neighbour of an item
    that has fewer than M. ``similarity_NM`` is -∞ in these places. ``gold`` holds the rows of all gold items. Objects
    never change: ``add``, ``remove`` and ``extend`` return new ones.

        neighbours = Neighbours.empty(embedding.vectors(items)).add(gold_rows)
        log_odds_NK = votes(neighbours, labels_NK, families)
    """

    vectors_ND: Tensor
    gold: tuple[int, ...]
    gold_NM: Tensor
    similarity_NM: Tensor

    @classmethod
    def empty(cls, vectors_ND: Tensor, *, neighbours: int = NEIGHBOURS) -> "Neighbours":
        """Return the neighbours of items without any gold."""
        none = Best.none(len(vectors_ND), neighbours)
        return cls(vectors_ND, (), none.rows_NM, none.similarity_NM)

    def add(self, gold: Iterable[int]) -> "Neighbours":
        """Return the neighbours with these gold rows added, at the cost of N × ΔG inner products."""
        new = sorted(set(gold) - set(self.gold))
        if not new:
            return self
        found = self._merged(torch.arange(len(self.vectors_ND)), new, Best(self.gold_NM, self.similarity_NM))
        gold = tuple(sorted((*self.gold, *new)))
        return replace(self, gold=gold, gold_NM=found.rows_NM, similarity_NM=found.similarity_NM)

    def remove(self, gold: Iterable[int]) -> "Neighbours":
        """Return the neighbours without these gold rows.

        Only items that had one of these rows among their neighbours are searched again, over all gold that is left.
        """
        gone = set(gold) & set(self.gold)
        if not gone:
            return self
        left = tuple(g for g in self.gold if g not in gone)
        hit_N = torch.isin(self.gold_NM, torch.tensor(sorted(gone))).any(1)
        rows = hit_N.nonzero()[:, 0]
        gold_NM, similarity_NM = self.gold_NM.clone(), self.similarity_NM.clone()
        found = self._merged(rows, left, Best.none(len(rows), gold_NM.shape[1]))
        gold_NM[rows], similarity_NM[rows] = found.rows_NM, found.similarity_NM
        return replace(self, gold=left, gold_NM=gold_NM, similarity_NM=similarity_NM)

    def extend(self, vectors_ND: Tensor) -> "Neighbours":
        """Return the neighbours with these items appended, for which all gold is searched."""
        blank = Best.none(len(vectors_ND), self.gold_NM.shape[1])
        everything_ND = torch.cat([self.vectors_ND, vectors_ND])
        rows = torch.arange(len(self.vectors_ND), len(everything_ND))
        found = replace(self, vectors_ND=everything_ND)._merged(rows, self.gold, blank)
        return Neighbours(
            everything_ND,
            self.gold,
            torch.cat([self.gold_NM, found.rows_NM]),
            torch.cat([self.similarity_NM, found.similarity_NM]),
        )

    def with_gold(self, gold: Iterable[int]) -> "Neighbours":
        """Return the neighbours among exactly these gold rows. Only added and removed rows cost time."""
        wanted = set(gold)
        return self.remove(set(self.gold) - wanted).add(wanted)

    def _merged(self, rows: Tensor, gold: Sequence[int], known: Best) -> Best:
        """Return the best of what is known of these rows and of this gold."""
        if not gold or not len(rows):
            return known
        return best_among(GoldVectors.of(gold, self.vectors_ND), rows, self.vectors_ND, known)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors for a safetensors file, without the vectors, which are made again from the features."""
        return {
            "gold": torch.tensor(self.gold, dtype=torch.int64),
            "gold_NM": self.gold_NM,
            "similarity_NM": self.similarity_NM,
        }


@dataclass(frozen=True)
class Index:
    """The neighbours of each item of a pool, and the embedding under which they were found."""

    embedding: Embedding
    neighbours: Neighbours

    @classmethod
    def of(cls, pool: Sequence[ItemFeatures]) -> "Index":
        """Make the index of a pool without any gold."""
        embedding = Embedding.of(pool)
        return cls(embedding, Neighbours.empty(embedding.vectors(pool)))

    def with_gold(self, gold: Iterable[int]) -> "Index":
        """Return the index of exactly these gold rows of the pool."""
        return replace(self, neighbours=self.neighbours.with_gold(gold))


def votes(
    neighbours: Neighbours, labels_NK: Tensor, families: Sequence[str], *, of: int = 10, sharpness: float = 8.0
) -> Tensor:
    """Return the (N, K) float64 log-odds by which an item's neighbours differ from the pool's mean; 0 without votes.

    The nearest ``of`` neighbours vote with weight exp(sharpness × (similarity - 1)). For each class, one more vote of
    weight exp(-sharpness / 2) is for the share of the pool's gold (Laplace smoothing), so that few or distant
    neighbours hardly move the opinion.

    A gold item gets no votes from its own family. The views of one product share title and look, and their agreement
    would make propagation look better on gold items than it is on new items.
    """
    gold, gold_NM = list(neighbours.gold), neighbours.gold_NM
    if not gold:
        return torch.zeros_like(labels_NK, dtype=torch.float64)
    family = {name: number for number, name in enumerate(dict.fromkeys(families))}
    family_N = torch.tensor([family[name] for name in families])
    is_gold_N = torch.zeros(len(labels_NK), dtype=torch.bool)
    is_gold_N[gold] = True
    own_NM = (family_N[gold_NM.clamp(min=0)] == family_N[:, None]) & is_gold_N[:, None]
    allowed_NM = (gold_NM >= 0) & ~own_NM
    # The nearest come first, so that counting from the left finds the nearest that may vote.
    allowed_NM &= allowed_NM.cumsum(1) <= of
    return _log_odds(
        gold_NM, neighbours.similarity_NM.masked_fill(~allowed_NM, -torch.inf), labels_NK, labels_NK[gold], sharpness
    )


def votes_on_new(
    vectors_ND: Tensor, gold_GD: Tensor, labels_GK: Tensor, *, of: int = 10, sharpness: float = 8.0
) -> Tensor:
    """Return what ``votes`` says of items that are of no family with gold, at the cost of N × G inner products."""
    if not len(gold_GD):
        return torch.zeros(len(vectors_ND), labels_GK.shape[1], dtype=torch.float64)
    similarity_NM, gold_NM = (vectors_ND @ gold_GD.T).topk(min(of, len(gold_GD)), dim=1)
    return _log_odds(gold_NM, similarity_NM, labels_GK, labels_GK, sharpness)


def _log_odds(gold_NM: Tensor, similarity_NM: Tensor, labels_NK: Tensor, labels_GK: Tensor, sharpness: float) -> Tensor:
    """Return the log-odds of the votes of each item's neighbours; one whose similarity is -inf has none.

    ``gold_NM`` are rows of ``labels_NK``, and ``labels_GK`` the labels of all gold.
    """
    known_K = (~labels_GK.isnan()).sum(0)
    share_K = ((labels_GK.nan_to_num(0.0).sum(0) + 1) / (known_K + 2)).double()
    weight_NM = torch.exp(sharpness * (similarity_NM.double() - 1))
    votes_NMK = labels_NK[gold_NM.clamp(min=0)].double()
    weight_NMK = weight_NM[:, :, None] * ~votes_NMK.isnan()
    prior = torch.exp(torch.tensor(-sharpness / 2, dtype=torch.float64))
    share_NK = ((weight_NMK * votes_NMK.nan_to_num(0.0)).sum(1) + prior * share_K) / (weight_NMK.sum(1) + prior)
    return torch.logit(share_NK.clamp(0.01, 0.99)) - torch.logit(share_K.clamp(0.01, 0.99))

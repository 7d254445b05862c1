"""From gold to supervision: what each source says of the pool, how far gold supports it, and what the network may learn from.

Shape suffixes: N items, K classes, S sources.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.features import ItemFeatures
from model.items import Gold
from model.label_model import LabelModel, Opinions, WeakLabels
from model.propagation import FusedSpace, Neighbours, votes
from model.sources import Memory, Sources
from model.tagger import Tagger


@dataclass(frozen=True)
class GoldTable:
    """Gold as a table over the pool: 1, 0, or NaN where nobody has labelled; agreement of the annotators in (0, 1]."""

    labels_NK: Tensor
    weight_N: Tensor

    @classmethod
    def of(cls, gold: Mapping[int, Gold], labels: Sequence[str], items: int) -> "GoldTable":
        """Labels that the project no longer has are left out; gold without tags counts the labels of its boxes."""
        labels_NK = torch.full((items, len(labels)), torch.nan, dtype=torch.float64)
        weight_N = torch.ones(items, dtype=torch.float64)
        for row, said in gold.items():
            there = said.labels if said.labels is not None else frozenset(box.label for box in said.boxes or ())
            labels_NK[row] = torch.tensor([float(label in there) for label in labels])
            weight_N[row] = said.weight
        return cls(labels_NK, weight_N)

    @property
    def rows(self) -> list[int]:
        """Rows with gold."""
        known: list[int] = (~self.labels_NK.isnan().all(1)).nonzero()[:, 0].tolist()
        return known

    def without(self, rows: Sequence[int]) -> "GoldTable":
        """The table as if these rows had no gold."""
        labels_NK = self.labels_NK.clone()
        labels_NK[list(rows)] = torch.nan
        return GoldTable(labels_NK, self.weight_N)


@dataclass(frozen=True)
class Supervision:
    """What training starts from. ``sources`` serve new items; ``opinions`` are the pool's, where gold judges sources that
    have not seen it."""

    sources: Sources
    opinions: Opinions
    label_model: LabelModel
    weak: WeakLabels


def supervise(
    served: Tagger,
    pool: Sequence[ItemFeatures],
    gold: GoldTable,
    *,
    families: Sequence[str],
    neighbours: Neighbours | None = None,
    space: FusedSpace | None = None,
) -> Supervision:
    """Ask the sources about the pool and weigh them by gold.

    ``neighbours`` in ``space`` spare the search when the caller keeps them; both or neither.
    """
    space = space or FusedSpace.of(pool)
    neighbours = (neighbours or Neighbours.empty(space.vectors(pool))).with_gold(gold.rows)
    sources = Sources(served.sources.cues, _memory(space, neighbours, gold))
    opinions = sources.with_votes(pool, votes(neighbours, gold.labels_NK, families))
    label_model = LabelModel.fit(opinions, gold.labels_NK, gold.weight_N)
    return Supervision(sources, opinions, label_model, label_model.weak_labels(opinions))


def _memory(space: FusedSpace, neighbours: Neighbours, gold: GoldTable) -> Memory | None:
    rows = gold.rows
    if not rows:
        return None
    return Memory(space, neighbours.vectors_ND[rows].half(), gold.labels_NK[rows].float())

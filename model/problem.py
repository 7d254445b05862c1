"""A learning problem: a pool of items, the gold of some of them, product families, and an index of nearest gold.

Shape suffixes: N items of the pool, K classes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.items import Gold
from model.knowledge.facts import People
from model.weak_supervision.boxes import LearnedBoxes
from model.weak_supervision.propagation import Index


@dataclass(frozen=True)
class GoldTable:
    """Gold as tensors over the pool.

    ``labels_NK`` is 1, 0, or NaN where the label is unknown. ``weight_N`` is the agreement of an item's annotators in
    (0, 1], and 1 for an item without gold.
    """

    labels_NK: Tensor
    weight_N: Tensor

    @classmethod
    def of(cls, gold: Mapping[int, Gold], labels: Sequence[str], items: int) -> "GoldTable":
        """Make the table of a pool of ``items`` items. Gold of labels that are not in ``labels`` is left out."""
        labels_NK = torch.full((items, len(labels)), torch.nan, dtype=torch.float64)
        weight_N = torch.ones(items, dtype=torch.float64)
        for row, entry in gold.items():
            known = [entry.says(label) for label in labels]
            labels_NK[row] = torch.tensor([torch.nan if yes is None else float(yes) for yes in known])
            weight_N[row] = entry.weight
        return cls(labels_NK, weight_N)

    @property
    def rows(self) -> list[int]:
        """The rows with at least one known label, ascending."""
        known: list[int] = (~self.labels_NK.isnan().all(1)).nonzero()[:, 0].tolist()
        return known

    def unlearnable(self, labels: Sequence[str]) -> dict[str, str]:
        """Return the labels that cannot be learned yet, each with the reason in words.

        A label can be learned once some gold items have it and others do not. Until then cues, priors and boxes decide.
        """
        known_NK = ~self.labels_NK.isnan()
        positive_K, negative_K = (self.labels_NK == 1).sum(0), (self.labels_NK == 0).sum(0)
        items = int(known_NK.any(1).sum())
        missing = {
            label: f"none of {items} gold items has it" if not yes else f"all of {items} gold items have it"
            for label, yes, no in zip(labels, positive_K.tolist(), negative_K.tolist(), strict=True)
            if not (yes and no)
        }
        return missing if items else dict.fromkeys(labels, "there is no gold")

    def without(self, rows: Collection[int]) -> "GoldTable":
        """Return the table as if these rows had no gold."""
        labels_NK = self.labels_NK.clone()
        labels_NK[sorted(rows)] = torch.nan
        return GoldTable(labels_NK, self.weight_N)


@dataclass(frozen=True, eq=False)
class Problem:
    """The input of one training.

    Args:
        pool: features of all items, with and without gold.
        gold: the gold of some rows of the pool.
        families: the product family of each item, in the pool's order. No item is judged by a model that was trained
            on its family.
        held_out: rows whose gold is never trained on. Their gold calibrates and judges; the items themselves are
            trained on by weak labels, like items without gold.
        index: the index of the pool if the caller keeps one between trainings. If None, a new one is made.
        boxes: the boxes that `learn_boxes` learned from this problem. If None, `fit` learns them.
        people: what people said of the shop. If None, nothing that is known of the shop is used.

    Raises ValueError if the parts do not fit each other.

        problem = Problem(features, {0: Gold(frozenset({"LOGO"}))}, families=["shirt", "mug"])
        tagger = fit(Tagger.cold_start(["LOGO"], space="…", seed=7), problem)
    """

    pool: Sequence[ItemFeatures]
    gold: Mapping[int, Gold]
    families: Sequence[str]
    held_out: frozenset[int] = field(default_factory=frozenset)
    index: Index | None = None
    boxes: LearnedBoxes | None = None
    people: People | None = None

    def __post_init__(self) -> None:
        if len(self.families) != len(self.pool):
            raise ValueError(f"{len(self.pool)} items and {len(self.families)} families do not fit: give one each")
        # A negative row would silently name an item from the end of the pool.
        outside = [row for row in (*self.gold, *self.held_out) if not 0 <= row < len(self.pool)]
        if outside:
            raise ValueError(f"gold of rows {sorted(set(outside))[:5]} is outside the pool of {len(self.pool)} items")
        if self.index and len(self.index.neighbours.vectors_ND) != len(self.pool):
            raise ValueError(f"an index of {len(self.index.neighbours.vectors_ND)} items is not of this pool")
        if self.boxes and len(self.boxes.opinions_NK) != len(self.pool):
            raise ValueError(f"boxes of {len(self.boxes.opinions_NK)} items are not of this pool")
        if self.people and len(self.people.tasks) != len(self.pool):
            raise ValueError(f"{len(self.people.tasks)} tasks are not those of this pool")

    @property
    def trainable(self) -> dict[int, Gold]:
        """The gold that is not held out."""
        return {row: entry for row, entry in self.gold.items() if row not in self.held_out}

    def table(self, labels: Sequence[str]) -> GoldTable:
        """Return the table of all gold of these labels, held out or not."""
        return GoldTable.of(self.gold, labels, len(self.pool))

    def without_gold(self, rows: Collection[int]) -> "Problem":
        """Return the problem as if these rows had no gold."""
        gone = set(rows)
        return replace(self, gold={row: entry for row, entry in self.gold.items() if row not in gone})

    def part(self, rows: Sequence[int]) -> "Problem":
        """Return the problem of these rows alone, in this order and without the index."""
        place = {row: new for new, row in enumerate(rows)}
        return Problem(
            [self.pool[row] for row in rows],
            {place[row]: entry for row, entry in self.gold.items() if row in place},
            [self.families[row] for row in rows],
            frozenset(place[row] for row in self.held_out if row in place),
            boxes=self.boxes.rows(rows) if self.boxes else None,
            people=replace(self.people, tasks=tuple(self.people.tasks[row] for row in rows)) if self.people else None,
        )

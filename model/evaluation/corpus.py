"""What is evaluated on: features with the labels that are known, and how they are split.

Shape suffixes: N items, K classes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from model.boxes.metrics import GoldPicture
from model.features.cache import taken_apart
from model.features.item import ItemFeatures
from model.items import Gold, LabelledBox
from model.lexicon.lexicon import Lexicon
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.weak_supervision.boxes import LearnedBoxes

TESTED = 0.2
"""The least share of the families that is tested on."""


@dataclass(frozen=True, eq=False)
class LabelledCorpus:
    """Items, gold labels of some (None: unlabelled, part of the pool only), product families.

    ``boxes`` are the gold boxes of some items (None: nobody drew any there); empty where there are none at all.
    ``unknown`` are labels of each item of which nobody knows whether they are there; empty where all is known.
    """

    labels: tuple[str, ...]
    features: tuple[ItemFeatures, ...]
    gold: tuple[frozenset[str] | None, ...]
    families: tuple[str, ...]
    boxes: tuple[GoldPicture | None, ...] = ()
    lexicon: Lexicon = field(default_factory=Lexicon.load)
    unknown: tuple[frozenset[str], ...] = ()

    def __post_init__(self) -> None:
        if not len(self.features) == len(self.gold) == len(self.families):
            raise ValueError(
                f"{len(self.features)} features, {len(self.gold)} labels and {len(self.families)} families do not fit"
            )
        if self.boxes and len(self.boxes) != len(self.features):
            raise ValueError(f"{len(self.features)} features and boxes of {len(self.boxes)} items do not fit")
        if self.unknown and len(self.unknown) != len(self.features):
            raise ValueError(f"{len(self.features)} features and unknown labels of {len(self.unknown)} do not fit")
        require_families(family for family, known in zip(self.families, self.gold, strict=True) if known is not None)

    def gold_of(self, rows: Sequence[int]) -> dict[int, Gold]:
        """Gold of these rows, as training takes it."""
        known = {row: self.gold[row] for row in rows}
        return {
            row: Gold(labels, self._drawn(row), unknown=self._unknown(row))
            for row, labels in known.items()
            if labels is not None
        }

    def _unknown(self, row: int) -> frozenset[str]:
        return self.unknown[row] if self.unknown else frozenset()

    def _drawn(self, row: int) -> tuple[LabelledBox, ...] | None:
        picture = self.boxes[row] if self.boxes else None
        return picture.boxes if picture else None

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with the gold and with anything that a tagger is told of an item."""
        digest = blake2b(repr((self.labels, self.families, self.boxes)).encode(), digest_size=8)
        digest.update(repr([sorted(labels) if labels is not None else None for labels in self.gold]).encode())
        if any(self.unknown):
            digest.update(repr([sorted(labels) for labels in self.unknown]).encode())
        for item in self.features:
            tensors, facts = taken_apart(item)
            digest.update(repr(facts).encode())
            for name, tensor in sorted(tensors.items()):
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
        return digest.hexdigest()

    def truth(self, rows: Sequence[int]) -> Tensor:
        """(len(rows), K) 1 where the label is there, 0 where it is not, NaN where nobody knows."""
        there_NK = torch.zeros(len(rows), len(self.labels), dtype=torch.float64)
        for place, row in enumerate(rows):
            for k, label in enumerate(self.labels):
                is_open = label in self._unknown(row)
                there_NK[place, k] = torch.nan if is_open else float(label in (self.gold[row] or ()))
        return there_NK


def require_families(labelled: Iterable[str]) -> None:
    """Raises ValueError where labelled items are of fewer than two product families: one is to test on."""
    if len(set(labelled)) < 2:
        raise ValueError("an evaluation needs labelled items of at least two product families")


def require_share(fraction: float) -> None:
    """Raises ValueError for what is no share."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"gold fraction {fraction}: use a share from 0 to 1")


@dataclass(frozen=True, eq=False)
class Split:
    """One draw: gold rows that a method may learn from, and test rows of other families.

    All rows are the pool. So test rows are trained on as unlabelled ones, by their weak labels, and thresholds are
    chosen on what is expected of them; of their gold no method is told.
    """

    corpus: LabelledCorpus
    gold: tuple[int, ...]
    test: tuple[int, ...]
    seed: int

    def cold_start(self, lexicon: Lexicon | None = None) -> Tagger:
        """The tagger before any gold, with the corpus' lexicon or another."""
        return Tagger.cold_start(
            self.corpus.labels, space="evaluation", seed=self.seed, lexicon=lexicon or self.corpus.lexicon
        )

    @property
    def problem(self) -> Problem:
        """What a method may learn from."""
        return Problem(self.corpus.features, self.corpus.gold_of(self.gold), self.corpus.families)

    @cached_property
    def boxes(self) -> LearnedBoxes:
        """What all methods that differ elsewhere have learned of this draw's boxes."""
        return learn_boxes(self.cold_start(), self.problem, seed=self.seed)


def split(corpus: LabelledCorpus, *, families: int, seed: int) -> Split:
    """Gold = all labelled items of this many random families, test = those of the others.

    The draw is ``RandomState(seed).shuffle`` of the sorted family names, so that other scripts can repeat it.
    """
    labelled = [row for row, known in enumerate(corpus.gold) if known is not None]
    names = np.unique([corpus.families[row] for row in labelled])
    if not 0 <= families < len(names):
        raise ValueError(f"{families} gold families of {len(names)} leave nothing to test on")
    np.random.RandomState(seed).shuffle(names)
    chosen = set(names[:families].tolist())
    gold = tuple(row for row in labelled if corpus.families[row] in chosen)
    test = tuple(row for row in labelled if corpus.families[row] not in chosen)
    return Split(corpus, gold, test, seed)


def families_at(corpus: LabelledCorpus, fraction: float) -> int:
    """How many families make about this share of the labelled items gold; at least 1 where the share is above 0.

    At 1 all are gold but those tested on, a fifth.
    """
    names = {family for family, known in zip(corpus.families, corpus.gold, strict=True) if known is not None}
    require_share(fraction)
    most = max(1, len(names) - max(1, round(TESTED * len(names))))
    return 0 if fraction == 0 else min(max(1, round(fraction * len(names))), most)

"""The data of an evaluation: features with their known labels, and the split into gold and test items.

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
from model.items import Gold
from model.lexicon.lexicon import Lexicon
from model.problem import Problem
from model.tagger import Tagger
from model.training.boxes import learn_boxes
from model.weak_supervision.boxes import LearnedBoxes

# At least this share of the families is tested on, unless the data have a validation part.
TESTED = 0.2
# The parts of the test items, by where they come from.
OTHERS = "other products"
VALIDATION = "validation"


@dataclass(frozen=True, eq=False)
class LabelledCorpus:
    """Items with their gold labels and product families.

    ``gold`` is None for an item without labels, which is in the pool only. ``boxes`` are the gold boxes of each item,
    None where no annotator drew; the tuple is empty where no item has boxes. ``unknown`` are the labels of each item
    that the gold leaves unknown; the tuple is empty where all labels are known. Rows in ``validation`` are for
    measuring only: their gold is never drawn to learn from.

    Raises ValueError where the lengths differ, or where labelled items are of fewer than two families.
    """

    labels: tuple[str, ...]
    features: tuple[ItemFeatures, ...]
    gold: tuple[frozenset[str] | None, ...]
    families: tuple[str, ...]
    boxes: tuple[GoldPicture | None, ...] = ()
    lexicon: Lexicon = field(default_factory=Lexicon.load)
    unknown: tuple[frozenset[str], ...] = ()
    validation: frozenset[int] = frozenset()

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
        """Return the gold of these rows in the form that training takes; rows without labels are left out."""
        gold = {}
        for row in rows:
            labels, picture = self.gold[row], self.boxes[row] if self.boxes else None
            if labels is not None:
                gold[row] = Gold(labels, picture.boxes if picture else None, unknown=self._unknown(row))
        return gold

    def _unknown(self, row: int) -> frozenset[str]:
        return self.unknown[row] if self.unknown else frozenset()

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with the gold and with every feature of an item."""
        digest = blake2b(repr((self.labels, self.families, self.boxes)).encode(), digest_size=8)
        digest.update(repr([sorted(labels) if labels is not None else None for labels in self.gold]).encode())
        if self.validation:
            digest.update(repr(sorted(self.validation)).encode())
        if any(self.unknown):
            digest.update(repr([sorted(labels) for labels in self.unknown]).encode())
        for item in self.features:
            tensors, facts = taken_apart(item)
            digest.update(repr(facts).encode())
            for name, tensor in sorted(tensors.items()):
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
        return digest.hexdigest()

    def truth(self, rows: Sequence[int]) -> Tensor:
        """Return the gold labels (len(rows), K): 1 for yes, 0 for no, NaN for unknown."""
        truth_NK = torch.zeros(len(rows), len(self.labels), dtype=torch.float64)
        for place, row in enumerate(rows):
            for k, label in enumerate(self.labels):
                is_open = label in self._unknown(row)
                truth_NK[place, k] = torch.nan if is_open else float(label in (self.gold[row] or ()))
        return truth_NK


def require_families(labelled: Iterable[str]) -> None:
    """Raise ValueError where labelled items are of fewer than two product families: one of them is tested on."""
    if len(set(labelled)) < 2:
        raise ValueError("an evaluation needs labelled items of at least two product families")


def require_share(fraction: float) -> None:
    """Raise ValueError where ``fraction`` is not between 0 and 1."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"gold fraction {fraction}: use a share from 0 to 1")


@dataclass(frozen=True, eq=False)
class Split:
    """One draw: gold rows from which a method may learn, and test rows of other families, of validation too.

    All rows are the pool. So methods train on test rows as on unlabelled rows, by their weak labels, and choose
    thresholds by the probabilities of test rows. No method sees the gold of test rows.
    """

    corpus: LabelledCorpus
    gold: tuple[int, ...]
    test: tuple[int, ...]
    seed: int

    def cold_start(self, lexicon: Lexicon | None = None) -> Tagger:
        """Return the tagger before any gold, with the corpus' lexicon or another."""
        return Tagger.cold_start(
            self.corpus.labels, space="evaluation", seed=self.seed, lexicon=lexicon or self.corpus.lexicon
        )

    @property
    def parts(self) -> dict[str, list[int]]:
        """The positions in ``test`` of other products and of validation, by name; a part without any is left out."""
        parts: dict[str, list[int]] = {OTHERS: [], VALIDATION: []}
        for position, row in enumerate(self.test):
            parts[VALIDATION if row in self.corpus.validation else OTHERS].append(position)
        return {name: places for name, places in parts.items() if places}

    @property
    def problem(self) -> Problem:
        """What a method may learn from."""
        return Problem(self.corpus.features, self.corpus.gold_of(self.gold), self.corpus.families)

    @cached_property
    def boxes(self) -> LearnedBoxes:
        """The boxes learned from this draw's gold, shared by all methods that differ in other parts only."""
        return learn_boxes(self.cold_start(), self.problem, seed=self.seed)


def split(corpus: LabelledCorpus, *, families: int, seed: int) -> Split:
    """Return a draw whose gold are the labelled items of ``families`` random families, and its test items the others.

    Items of validation are tested in every draw and are gold in none. The families are the first after
    ``RandomState(seed).shuffle`` of the sorted names, so that other scripts can repeat the draw. Raises ValueError
    where no family is left to test on.
    """
    known = [row for row, labels in enumerate(corpus.gold) if labels is not None]
    labelled = [row for row in known if row not in corpus.validation]
    names = np.unique([corpus.families[row] for row in labelled])
    if not 0 <= families < len(names) + bool(corpus.validation):
        raise ValueError(f"{families} gold families of {len(names)} leave nothing to test on")
    np.random.RandomState(seed).shuffle(names)
    chosen = set(names[:families].tolist())
    gold = tuple(row for row in labelled if corpus.families[row] in chosen)
    test = tuple(row for row in known if row in corpus.validation or corpus.families[row] not in chosen)
    return Split(corpus, gold, test, seed)


def families_at(corpus: LabelledCorpus, fraction: float) -> int:
    """Return how many of the labelled families are about this share; at least 1 for a share above 0.

    At a share of 1 all families are counted if there is a validation part to test on, else all but a fifth. Raises
    ValueError for a share outside of 0 to 1.
    """
    labelled = [row for row, known in enumerate(corpus.gold) if known is not None and row not in corpus.validation]
    names = {corpus.families[row] for row in labelled}
    require_share(fraction)
    most = len(names) if corpus.validation else max(1, len(names) - max(1, round(TESTED * len(names))))
    return 0 if fraction == 0 else min(max(1, round(fraction * len(names))), most)

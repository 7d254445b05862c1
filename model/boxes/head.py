"""The box head: it learns from gold rectangles how well each candidate shows each label.

The target of a candidate for a label is a quality: 0 where the candidate overlaps the label's gold by 0.3 or less, 1
from 0.7 on. A forest of random trees and one of boosted trees learn it, and the mean of both answers. The random forest
has as many parts as there are folds of products; each part is trained without one fold, so that every gold picture also
has an answer of a part that was not trained on it. All parts together answer for other pictures. Boosted trees are
trained without each quarter of the products, and once on all. The weight of the cold start falls as a label's gold
grows.

Pictures with tags and without rectangles are bags. A denied tag makes all candidates of the bag negative for the label;
a given tag makes those candidates positive that have the best scores in the cold start. A forest of bags improves the
cold start and is used nowhere else: together with rectangles of the same label, bags made boxes worse (measured,
docs/results.md).

Shape suffixes: N candidates, D descriptor entries, K labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.boxes.forest import Floats, Forest
from model.boxes.nms import ious, to_tensor
from model.items import LabelledBox

FOLDS = 8
# Folds of the boosted trees, each made of several folds of the random forest.
BOOSTED_FOLDS = 4
# Trees of all parts together.
TREES = 96
# Overlaps (IoU) with gold that are quality 0 and quality 1.
QUALITY_FROM, QUALITY_TO = 0.3, 0.7
# With this many gold boxes of a label, the forest and the cold start weigh the same.
COLD_BOXES = 3.0
# The most candidates without any label on which a part is trained.
MOST_BACKGROUND = 30_000
# The most pictures that become bags.
MOST_BAGS = 120


@dataclass(frozen=True)
class Example:
    """One gold picture: its candidates' edges, descriptors and cold-start scores, and its gold rectangles.

    ``family`` is the product of the picture. The picture may have more rectangles of the labels in ``unknown``.
    """

    boxes_N4: Tensor
    inputs_ND: Floats
    cold_NK: Floats
    gold: tuple[LabelledBox, ...]
    family: str
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bag:
    """One picture with tags and without rectangles: its candidates' descriptors and cold-start scores, and its tags.

    ``tag_K`` is 1 for a given tag, 0 for a denied one, NaN for an unknown one.
    """

    inputs_ND: Floats
    cold_NK: Floats
    tag_K: Floats
    family: str


@dataclass(frozen=True, eq=False)
class BoxHead:
    """Forests learned from rectangles, their weight for each label in [0, 1], and a forest learned from bags.

    Example::

        head, unseen = BoxHead.fit(examples, labels, seed=7)
        quality_NK = head.quality(inputs_ND, cold_NK)
        quality_NK = unseen[family].quality(inputs_ND, cold_NK)    # by a head that was not trained on the family
    """

    forest: Forest | None
    trust_K: Floats
    bags: Forest | None = None
    boosted: Forest | None = None

    @classmethod
    def fit(
        cls, examples: Sequence[Example], labels: Sequence[str], *, seed: int, bags: Sequence[Bag] = ()
    ) -> tuple["BoxHead", dict[str, "BoxHead"]]:
        """Return a head learned from all pictures, and for each family the part of it without the family.

        With a single family, the part without it learns nothing and answers by the cold start alone.
        """
        targets = [quality_of(example, labels) for example in examples]
        families = sorted({example.family for example in examples} | {bag.family for bag in bags})
        order = np.random.default_rng(seed).permutation(len(families))
        fold_of = {families[position]: rank % FOLDS for rank, position in enumerate(order)}

        def learned_from(kept: Sequence[int], seed: int, *, boosted: bool) -> Forest | None:
            rows = _rows([examples[n] for n in kept], [targets[n] for n in kept], seed)
            if rows is None:
                return None
            return Forest.boosted(*rows, seed=seed) if boosted else Forest.grow(*rows, trees=TREES // FOLDS, seed=seed)

        def boosted_without(left_out: int) -> Forest | None:
            kept = [n for n, one in enumerate(examples) if fold_of[one.family] % BOOSTED_FOLDS != left_out]
            return learned_from(kept, seed + left_out, boosted=True)

        quarters = sorted({fold % BOOSTED_FOLDS for fold in fold_of.values()})
        # With one quarter, the trees without it would have learned nothing.
        boosted = {quarter: boosted_without(quarter) for quarter in quarters if len(quarters) > 1}

        def without(left_out: int) -> BoxHead:
            kept = [n for n, example in enumerate(examples) if fold_of[example.family] != left_out]
            kept_bags = [bag for bag in bags if fold_of[bag.family] != left_out]
            forest = learned_from(kept, seed + left_out, boosted=False)
            # The weight counts only boxes that the part was trained on. With the weight of all boxes, the part would
            # deny a label that only the left-out pictures have.
            trust_K = _trust([examples[n] for n in kept], labels)
            sharpened = _forest_of_bags(kept_bags, seed + left_out)
            return cls(forest, trust_K, sharpened, boosted.get(left_out % BOOSTED_FOLDS))

        parts = [without(fold) for fold in sorted(set(fold_of.values()))]
        # No family is in fold FOLDS, so this one part is trained on all pictures.
        served = parts if len(parts) > 1 else [without(FOLDS)]
        forest, sharpened = _joined([part.forest for part in served]), _joined([part.bags for part in served])
        everything = learned_from(range(len(examples)), seed + FOLDS, boosted=True)
        head = cls(forest, _trust(examples, labels), sharpened, everything)
        return head, {family: parts[fold] for family, fold in fold_of.items()}

    def quality(self, inputs_ND: Floats, cold_NK: Floats) -> Floats:
        """Return the quality (N, K) of each candidate for each label, in [0, 1]."""
        if self.bags is not None:
            cold_NK = blend(self.bags.predict(inputs_ND), cold_NK, np.full_like(self.trust_K, 0.5))
        if self.forest is None:
            return cold_NK
        learned_NK = self.forest.predict(inputs_ND)
        if self.boosted is not None:
            learned_NK = (learned_NK + self.boosted.predict(inputs_ND).clip(0, 1)) / 2
        return blend(learned_NK, cold_NK, self.trust_K)

    def state(self) -> dict[str, Tensor]:
        """Return all that was learned, as tensors."""
        forests = {"forest": self.forest, "bags": self.bags, "boosted": self.boosted}
        tensors = {
            f"{part}.{name}": tensor
            for part, forest in forests.items()
            if forest is not None
            for name, tensor in forest.state().items()
        }
        return {**tensors, "trust": torch.from_numpy(self.trust_K)}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "BoxHead":
        """Make the head again from its ``state()``."""
        return cls(
            _stored(state, "forest."), state["trust"].numpy(), _stored(state, "bags."), _stored(state, "boosted.")
        )


def _stored(state: Mapping[str, Tensor], prefix: str) -> Forest | None:
    tensors = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    return Forest.from_state(tensors) if tensors else None


def _forest_of_bags(bags: Sequence[Bag], seed: int) -> Forest | None:
    """Return trees that learn from the tags which scores of the cold start are right; None without any candidate.

    A candidate's target for a given tag is its score, relative to the best score in the bag; for a denied tag 0. For an
    unknown tag the target is the score itself, which changes nothing.
    """
    filled = [bag for bag in bags if len(bag.inputs_ND)]
    if not filled:
        return None
    targets = []
    for bag in filled:
        best_K = bag.cold_NK.max(0)
        share_NK = bag.cold_NK / np.maximum(best_K, 1e-3)
        given_NK = (np.nan_to_num(bag.tag_K) * share_NK * np.minimum(1.5 * best_K, 1.0)).astype(np.float32)
        targets.append(np.where(np.isnan(bag.tag_K), bag.cold_NK, given_NK))
    inputs_ND = np.concatenate([bag.inputs_ND for bag in filled])
    return Forest.grow(inputs_ND, np.concatenate(targets), trees=TREES // 2 // FOLDS, seed=seed)


def blend(learned_NK: Floats, cold_NK: Floats, trust_K: Floats) -> Floats:
    """Return the mean of learned and cold-start quality, with the weight ``trust_K`` of the learned one."""
    blended: Floats = trust_K * learned_NK + (1 - trust_K) * cold_NK
    return blended


def quality_of(example: Example, labels: Sequence[str]) -> Floats:
    """Return the quality (N, K) of each candidate by its largest overlap with the gold of each label.

    For a label that may have more gold boxes than are known, a candidate has at least its score of the cold start.
    """
    overlap = np.zeros((len(example.boxes_N4), len(labels)), dtype=np.float32)
    for column, label in enumerate(labels):
        gold = [entry.box for entry in example.gold if entry.label == label]
        if gold and len(overlap):
            overlap[:, column] = ious(example.boxes_N4, to_tensor(gold)).max(1).values.numpy()
    quality: Floats = ((overlap - QUALITY_FROM) / (QUALITY_TO - QUALITY_FROM)).clip(0, 1)
    is_open_K = np.array([label in example.unknown for label in labels])
    return np.where(is_open_K, np.maximum(quality, example.cold_NK), quality) if is_open_K.any() else quality


def _trust(examples: Sequence[Example], labels: Sequence[str]) -> Floats:
    """Return the weight (K,) of a forest that learned from these examples: it grows with the label's gold boxes."""
    counts = [sum(entry.label == label for example in examples for entry in example.gold) for label in labels]
    boxes_K = np.array(counts, dtype=np.float32)
    trust_K: Floats = boxes_K / (boxes_K + COLD_BOXES)
    return trust_K


def _joined(forests: Sequence[Forest | None]) -> Forest | None:
    """Return one forest of all trees; None where no part has any."""
    grown = [forest for forest in forests if forest is not None]
    return Forest.joined(grown) if grown else None


def _rows(examples: Sequence[Example], targets: Sequence[Floats], seed: int) -> tuple[Floats, Floats] | None:
    """Return the inputs (N, D) and targets (N, K) to learn from; None without a candidate in any picture."""
    if not any(len(example.inputs_ND) for example in examples):
        return None
    inputs_ND = np.concatenate([example.inputs_ND for example in examples])
    targets_NK = np.concatenate(targets)
    # Most candidates show no label; a random part of them is enough.
    background = np.flatnonzero(targets_NK.max(1) == 0)
    if len(background) > MOST_BACKGROUND:
        background = np.random.default_rng(seed).choice(background, MOST_BACKGROUND, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(targets_NK.max(1) > 0), background]))
    return inputs_ND[rows], targets_NK[rows]

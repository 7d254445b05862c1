"""The box head: how well each candidate shows each label, learned from gold rectangles.

A forest regresses the quality of a candidate per label: 0 where it overlaps gold by 0.3 or less, 1 from 0.7 on. It is
grown in as many parts as there are folds, each without one fold of products, so that every gold picture also has an
answer that did not see it; all parts together serve. So it is for bags. The cold start's opinion fades as a label's
gold grows.

Pictures with tags and no rectangles are bags: a tag that is not there denies all of the bag's candidates, and one that
is there confirms the candidates that the cold start thinks best. They sharpen the cold start and nothing else: once
there are rectangles of a label, bags made it worse (measured, docs/results.md).

Shape suffixes: N candidates, D descriptor entries, K labels.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.boxes.forest import Floats, Forest
from model.boxes.nms import ious, to_tensor
from model.items import LabelledBox

FOLDS = 8
TREES = 96
QUALITY_FROM, QUALITY_TO = 0.3, 0.7
COLD_BOXES = 3.0
"""So many gold boxes of a label weigh as much as the cold start."""
MOST_BACKGROUND = 30_000
MOST_BAGS = 120


@dataclass(frozen=True)
class Example:
    """One gold picture: its candidates' boxes (N, 4), descriptors and cold-start scores, and the gold rectangles.

    Of labels in ``unknown`` the picture may have more rectangles than those.
    """

    boxes_N4: Tensor
    inputs_ND: Floats
    cold_NK: Floats
    gold: tuple[LabelledBox, ...]
    family: str
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bag:
    """One picture with tags and no rectangles: descriptors, cold-start scores, and for each label 1 where it is there,
    0 where it is not, NaN where nobody knows."""

    inputs_ND: Floats
    cold_NK: Floats
    tag_K: Floats
    family: str


@dataclass(frozen=True, eq=False)
class BoxHead:
    """A forest learned from rectangles, how far to trust it for each label, and one learned from bags."""

    forest: Forest | None
    trust_K: Floats
    bags: Forest | None = None

    @classmethod
    def fit(
        cls, examples: Sequence[Example], labels: Sequence[str], *, seed: int, bags: Sequence[Bag] = ()
    ) -> tuple["BoxHead", dict[str, "BoxHead"]]:
        """A head learned from all pictures, and for each family the part of it that has not seen the family.

        One family alone has nobody to be judged by but the cold start.
        """
        targets = [quality_of(example, labels) for example in examples]
        fold_of = _folds({example.family for example in examples} | {bag.family for bag in bags}, seed)

        def without(left_out: int) -> BoxHead:
            seen = [n for n, example in enumerate(examples) if fold_of[example.family] != left_out]
            told = [bag for bag in bags if fold_of[bag.family] != left_out]
            forest = _forest([examples[n] for n in seen], [targets[n] for n in seen], seed + left_out)
            # By the boxes that it has seen: with all boxes' trust it would deny a label that only the left out have.
            trust_K = _trust([examples[n] for n in seen], labels)
            return cls(forest, trust_K, _forest_of_bags(told, seed + left_out))

        parts = [without(fold) for fold in sorted(set(fold_of.values()))]
        served = parts if len(parts) > 1 else [without(FOLDS)]  # nobody is in that fold
        forest, sharpened = _joined([part.forest for part in served]), _joined([part.bags for part in served])
        head = cls(forest, _trust(examples, labels), sharpened)
        return head, {family: parts[fold] for family, fold in fold_of.items()}

    def quality(self, inputs_ND: Floats, cold_NK: Floats) -> Floats:
        """(N, K) how well each candidate shows each label, in [0, 1]."""
        before_NK = self._before(inputs_ND, cold_NK)
        return before_NK if self.forest is None else blend(self.forest.predict(inputs_ND), before_NK, self.trust_K)

    def _before(self, inputs_ND: Floats, cold_NK: Floats) -> Floats:
        """The cold start as the bags have sharpened it."""
        if self.bags is None:
            return cold_NK
        return blend(self.bags.predict(inputs_ND), cold_NK, np.full_like(self.trust_K, 0.5))

    def state(self) -> dict[str, Tensor]:
        """All that was learned."""
        forests = {"forest": self.forest, "bags": self.bags}
        tensors = {
            f"{part}.{name}": tensor
            for part, forest in forests.items()
            if forest is not None
            for name, tensor in forest.state().items()
        }
        return {**tensors, "trust": torch.from_numpy(self.trust_K)}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "BoxHead":
        """The head whose ``state()`` this is."""
        return cls(_stored(state, "forest."), state["trust"].numpy(), _stored(state, "bags."))


def _stored(state: Mapping[str, Tensor], prefix: str) -> Forest | None:
    tensors = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    return Forest.from_state(tensors) if tensors else None


def _forest_of_bags(bags: Sequence[Bag], seed: int) -> Forest | None:
    """Trees that have seen the cold start's opinions under the tags; None without a candidate in any bag."""
    filled = [bag for bag in bags if len(bag.inputs_ND)]
    if not filled:
        return None
    inputs_ND = np.concatenate([bag.inputs_ND for bag in filled])
    targets_NK = np.concatenate([_confirmed(bag) for bag in filled])
    return Forest.grow(inputs_ND, targets_NK, trees=TREES // 2 // FOLDS, seed=seed)


def _confirmed(bag: Bag) -> Floats:
    """Targets of a bag's candidates: relative to the best of the bag where the tag is there, 0 where it is not.

    Where nobody knows, the cold start's own opinion is the target, which teaches nothing new.
    """
    best_K = bag.cold_NK.max(0)
    share_NK = bag.cold_NK / np.maximum(best_K, 1e-3)
    confirmed_NK = (np.nan_to_num(bag.tag_K) * share_NK * np.minimum(1.5 * best_K, 1.0)).astype(np.float32)
    targets: Floats = np.where(np.isnan(bag.tag_K), bag.cold_NK, confirmed_NK)
    return targets


def blend(learned_NK: Floats, cold_NK: Floats, trust_K: Floats) -> Floats:
    """The learned quality where a label has gold, the cold start's where it has none."""
    blended: Floats = trust_K * learned_NK + (1 - trust_K) * cold_NK
    return blended


def quality_of(example: Example, labels: Sequence[str]) -> Floats:
    """(N, K) quality of each candidate by its best overlap with the gold of each label.

    Of a label that may have more boxes, what overlaps none of the known ones keeps the cold start's opinion.
    """
    overlap = np.zeros((len(example.boxes_N4), len(labels)), dtype=np.float32)
    for column, label in enumerate(labels):
        gold = [entry.box for entry in example.gold if entry.label == label]
        if gold and len(overlap):
            overlap[:, column] = ious(example.boxes_N4, to_tensor(gold)).max(1).values.numpy()
    quality: Floats = ((overlap - QUALITY_FROM) / (QUALITY_TO - QUALITY_FROM)).clip(0, 1)
    is_open_K = np.array([label in example.unknown for label in labels])
    return np.where(is_open_K, np.maximum(quality, example.cold_NK), quality) if is_open_K.any() else quality


def _folds(families: Set[str], seed: int) -> dict[str, int]:
    """Fold of each family."""
    names = sorted(families)
    order = np.random.default_rng(seed).permutation(len(names))
    return {names[position]: rank % FOLDS for rank, position in enumerate(order)}


def _trust(examples: Sequence[Example], labels: Sequence[str]) -> Floats:
    """(K,) how far the forest of these examples is believed, by the label's gold boxes."""
    counts = [sum(entry.label == label for example in examples for entry in example.gold) for label in labels]
    boxes_K = np.array(counts, dtype=np.float32)
    trust_K: Floats = boxes_K / (boxes_K + COLD_BOXES)
    return trust_K


def _joined(forests: Sequence[Forest | None]) -> Forest | None:
    grown = [forest for forest in forests if forest is not None]
    return Forest.joined(grown) if grown else None


def _forest(examples: Sequence[Example], targets: Sequence[Floats], seed: int) -> Forest | None:
    """A part's trees; None without a candidate in any picture."""
    if not any(len(example.inputs_ND) for example in examples):
        return None
    inputs_ND = np.concatenate([example.inputs_ND for example in examples])
    targets_NK = np.concatenate(targets)
    kept = _kept(targets_NK, seed)
    return Forest.grow(inputs_ND[kept], targets_NK[kept], trees=TREES // FOLDS, seed=seed)


def _kept(targets_NK: Floats, seed: int) -> npt.NDArray[np.int64]:
    """All rows that show something, and at most so many that show nothing."""
    background = np.flatnonzero(targets_NK.max(1) == 0)
    if len(background) > MOST_BACKGROUND:
        background = np.random.default_rng(seed).choice(background, MOST_BACKGROUND, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(targets_NK.max(1) > 0), background]))

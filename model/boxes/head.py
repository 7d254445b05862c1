"""The box head: how well each candidate shows each label, learned from gold rectangles.

A forest regresses the quality of a candidate per label: 0 where it overlaps gold by 0.3 or less, 1 from 0.7 on. It is
grown in as many parts as there are folds, each without one fold of products, so that every gold picture also has an
answer that did not see it; all parts together serve. The cold start's opinion fades as a label's gold grows.

Shape suffixes: N candidates, D descriptor entries, K labels.
"""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True)
class Example:
    """One gold picture: its candidates' boxes (N, 4), descriptors and cold-start scores, and the gold rectangles."""

    boxes_N4: Tensor
    inputs_ND: Floats
    cold_NK: Floats
    gold: tuple[LabelledBox, ...]
    family: str


@dataclass(frozen=True, eq=False)
class BoxHead:
    """A forest and how far to trust it for each label."""

    forest: Forest
    trust_K: Floats

    @classmethod
    def fit(cls, examples: Sequence[Example], labels: Sequence[str], *, seed: int) -> tuple["BoxHead", list[Floats]]:
        """A head, and for each example the quality (N, K) as given by the parts that did not see its family.

        Raises ValueError without a single candidate to learn from.
        """
        if not any(len(example.inputs_ND) for example in examples):
            raise ValueError("no candidates in any gold picture: give pictures with readable image features")
        targets = [quality_of(example, labels) for example in examples]
        fold = _folds([example.family for example in examples], seed)
        parts = [_part(examples, targets, fold != left_out, seed + left_out) for left_out in range(int(fold.max()) + 1)]
        counts = [sum(entry.label == label for example in examples for entry in example.gold) for label in labels]
        boxes_K = np.array(counts, dtype=np.float32)
        head = cls(Forest.joined(parts), boxes_K / (boxes_K + COLD_BOXES))
        held_out = [
            blend(parts[own].predict(example.inputs_ND), example.cold_NK, head.trust_K)
            for example, own in zip(examples, fold, strict=True)
        ]
        return head, held_out

    def quality(self, inputs_ND: Floats, cold_NK: Floats) -> Floats:
        """(N, K) how well each candidate shows each label, in [0, 1]."""
        return blend(self.forest.predict(inputs_ND), cold_NK, self.trust_K)

    def state(self) -> dict[str, Tensor]:
        """All that was learned."""
        forest = {f"forest.{name}": tensor for name, tensor in self.forest.state().items()}
        return {**forest, "trust": torch.from_numpy(self.trust_K)}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "BoxHead":
        """The head whose ``state()`` this is."""
        forest = {name.removeprefix("forest."): state[name] for name in state if name.startswith("forest.")}
        return cls(Forest.from_state(forest), state["trust"].numpy())


def blend(learned_NK: Floats, cold_NK: Floats, trust_K: Floats) -> Floats:
    """The learned quality where a label has gold, the cold start's where it has none."""
    blended: Floats = trust_K * learned_NK + (1 - trust_K) * cold_NK
    return blended


def quality_of(example: Example, labels: Sequence[str]) -> Floats:
    """(N, K) quality of each candidate by its best overlap with the gold of each label."""
    overlap = np.zeros((len(example.boxes_N4), len(labels)), dtype=np.float32)
    for column, label in enumerate(labels):
        gold = [entry.box for entry in example.gold if entry.label == label]
        if gold and len(overlap):
            overlap[:, column] = ious(example.boxes_N4, to_tensor(gold)).max(1).values.numpy()
    quality: Floats = ((overlap - QUALITY_FROM) / (QUALITY_TO - QUALITY_FROM)).clip(0, 1)
    return quality


def _folds(families: Sequence[str], seed: int) -> npt.NDArray[np.int64]:
    """Fold of each example; a family is in one fold. A single family is one fold that its own part never leaves out."""
    names = sorted(set(families))
    order = np.random.default_rng(seed).permutation(len(names))
    fold = {names[position]: rank % FOLDS for rank, position in enumerate(order)}
    return np.array([fold[family] for family in families])


def _part(examples: Sequence[Example], targets: Sequence[Floats], seen: npt.NDArray[np.bool_], seed: int) -> Forest:
    if not any(len(example.inputs_ND) for example, is_seen in zip(examples, seen, strict=True) if is_seen):
        seen = np.ones(len(examples), dtype=bool)
    chosen = np.flatnonzero(seen)
    inputs_ND = np.concatenate([examples[i].inputs_ND for i in chosen])
    targets_NK = np.concatenate([targets[i] for i in chosen])
    kept = _kept(targets_NK, seed)
    return Forest.grow(inputs_ND[kept], targets_NK[kept], trees=TREES // FOLDS, seed=seed)


def _kept(targets_NK: Floats, seed: int) -> npt.NDArray[np.int64]:
    """All rows that show something, and at most so many that show nothing."""
    background = np.flatnonzero(targets_NK.max(1) == 0)
    if len(background) > MOST_BACKGROUND:
        background = np.random.default_rng(seed).choice(background, MOST_BACKGROUND, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(targets_NK.max(1) > 0), background]))

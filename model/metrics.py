"""Scores of multi-label answers, and the paired bootstrap that shows whether one tagger is worse than another.

Shape suffixes: N items, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics

Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class.

    ``support`` is the number of gold items that have the class. A class that no item has and no answer gives scores 0,
    as in scikit-learn.
    """

    precision: float
    recall: float
    f1: float
    support: int


def class_scores(gold_NK: ArrayLike, given_NK: ArrayLike) -> list[ClassScore]:
    """Return precision, recall and F1 of each class. Raises ValueError when the two shapes differ or aren't (N, K)."""
    gold, given = _booleans(gold_NK, given_NK)
    right_K, given_K, support_K = (gold & given).sum(0), given.sum(0), gold.sum(0)
    return [
        ClassScore(_ratio(right, count), _ratio(right, support), _ratio(2 * right, count + support), int(support))
        for right, count, support in zip(right_K.tolist(), given_K.tolist(), support_K.tolist(), strict=True)
    ]


def macro_f1(gold_NK: ArrayLike, given_NK: ArrayLike) -> float:
    """Return the mean F1 of the classes."""
    return float(np.mean([score.f1 for score in class_scores(gold_NK, given_NK)]))


def weighted_f1(gold_NK: ArrayLike, given_NK: ArrayLike) -> float:
    """Return the mean F1 of the classes, weighted by how many gold items have each class."""
    scores = class_scores(gold_NK, given_NK)
    return _ratio(sum(score.f1 * score.support for score in scores), sum(score.support for score in scores))


def average_precision(gold_N: ArrayLike, score_N: ArrayLike) -> float:
    """Return the area under the step function of precision over recall; 0 when no item is positive."""
    gold, score = np.asarray(gold_N, bool), np.asarray(score_N, float)
    if not gold.any():
        return 0.0
    order = np.argsort(-score, kind="stable")
    # Items of equal score make one step: no threshold can separate them.
    ends = np.append(np.diff(score[order]) != 0, True)
    hits, seen = np.cumsum(gold[order])[ends], np.arange(1, len(gold) + 1)[ends]
    return float(np.sum(np.diff(hits, prepend=0) * hits / seen) / gold.sum())


def log_loss(gold_N: ArrayLike, probability_N: ArrayLike) -> float:
    """Return the mean of -ln of the probability that was given to what is true; 0 for no answers."""
    gold, probability = np.asarray(gold_N, bool), np.asarray(probability_N, float)
    return float(metrics.log_loss(gold, probability, labels=[False, True])) if len(gold) else 0.0


@dataclass(frozen=True)
class GoldLabels:
    """Gold that two taggers' answers are compared on.

    ``gold_NK`` is true where an item has the label. Where ``known_NK`` is false, the label is unknown and answers to it
    count neither way; None means that all labels are known. ``families`` holds the product family of each item; None
    means that each item is a family by itself.
    """

    gold_NK: ArrayLike
    known_NK: ArrayLike | None = None
    families: Sequence[str] | None = None


@dataclass(frozen=True)
class Comparison:
    """Macro-F1 of the new answers minus that of the old ones: on all items, and the limits of its interval."""

    difference: float
    low: float
    high: float


def paired_bootstrap(
    labels: GoldLabels,
    old_NK: ArrayLike,
    new_NK: ArrayLike,
    *,
    draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare the macro-F1 of two answers to the same items, with an interval of probability ``level``.

    Each draw takes whole families with replacement (Efron, 1979), because the views of one product resemble each other.
    Raises ValueError when the shapes differ or there are no items.
    """
    gold, old = _booleans(labels.gold_NK, old_NK)
    _, new = _booleans(labels.gold_NK, new_NK)
    if not len(gold):
        raise ValueError("cannot compare answers on no items")
    if labels.known_NK is not None:
        _, known = _booleans(labels.gold_NK, labels.known_NK)
        gold, old, new = gold & known, old & known, new & known
    families = np.arange(len(gold)) if labels.families is None else np.asarray(labels.families)
    names, family_N = np.unique(families, return_inverse=True)
    members = [np.flatnonzero(family_N == f) for f in range(len(names))]
    random = np.random.default_rng(seed)
    differences = []
    for _ in range(draws):
        # Both answers are scored on the same draw, so that items which are easy or hard for both cancel out.
        rows = np.concatenate([members[f] for f in random.integers(len(members), size=len(members))])
        differences.append(macro_f1(gold[rows], new[rows]) - macro_f1(gold[rows], old[rows]))
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return Comparison(macro_f1(gold, new) - macro_f1(gold, old), float(low), float(high))


def _booleans(gold_NK: ArrayLike, given_NK: ArrayLike) -> tuple[Booleans, Booleans]:
    gold, given = np.asarray(gold_NK).astype(bool), np.asarray(given_NK).astype(bool)
    if gold.shape != given.shape or gold.ndim != 2:
        raise ValueError(f"gold {gold.shape} and answers {given.shape} must both be items × classes")
    return gold, given


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0

"""Scores of multi-label answers, and the paired bootstrap that tells whether one tagger is worse than another.

Shape suffixes: N items, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class. A class that is neither there nor given scores 0, as in scikit-learn."""

    precision: float
    recall: float
    f1: float
    support: int


def class_scores(gold_NK: ArrayLike, given_NK: ArrayLike) -> list[ClassScore]:
    """Precision, recall and F1 of each class."""
    gold, given = _booleans(gold_NK, given_NK)
    true, offered, there = (gold & given).sum(0), given.sum(0), gold.sum(0)
    return [
        ClassScore(_ratio(t, o), _ratio(t, s), _ratio(2 * t, o + s), int(s))
        for t, o, s in zip(true.tolist(), offered.tolist(), there.tolist(), strict=True)
    ]


def macro_f1(gold_NK: ArrayLike, given_NK: ArrayLike) -> float:
    """Mean F1 of the classes."""
    return float(np.mean([score.f1 for score in class_scores(gold_NK, given_NK)]))


def weighted_f1(gold_NK: ArrayLike, given_NK: ArrayLike) -> float:
    """Mean F1 of the classes, weighted by how often each is there."""
    scores = class_scores(gold_NK, given_NK)
    return _ratio(sum(score.f1 * score.support for score in scores), sum(score.support for score in scores))


def average_precision(gold_N: ArrayLike, score_N: ArrayLike) -> float:
    """Area under precision over recall, as a step function; 0 without positives. Ties are one step."""
    gold, score = np.asarray(gold_N, bool), np.asarray(score_N, float)
    if not gold.any():
        return 0.0
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.diff(score[order]) != 0, True)
    hits, seen = np.cumsum(gold[order])[ends], np.arange(1, len(gold) + 1)[ends]
    return float(np.sum(np.diff(hits, prepend=0) * hits / seen) / gold.sum())


@dataclass(frozen=True)
class Comparison:
    """Score of the new minus the old answers: on all items, and its bootstrap interval."""

    difference: float
    low: float
    high: float


def paired_bootstrap(
    gold_NK: ArrayLike,
    old_NK: ArrayLike,
    new_NK: ArrayLike,
    *,
    families: Sequence[str] | None = None,
    score: Callable[[Booleans, Booleans], float] = macro_f1,
    draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Difference of a score between two answers to the same items; families are drawn whole, since views are alike."""
    gold, old = _booleans(gold_NK, old_NK)
    _, new = _booleans(gold_NK, new_NK)
    if not len(gold):
        raise ValueError("cannot compare answers on no items")
    names, family_N = np.unique(np.arange(len(gold)) if families is None else np.asarray(families), return_inverse=True)
    members = [np.flatnonzero(family_N == f) for f in range(len(names))]
    random = np.random.default_rng(seed)
    differences = []
    for _ in range(draws):
        rows = np.concatenate([members[f] for f in random.integers(len(members), size=len(members))])
        differences.append(score(gold[rows], new[rows]) - score(gold[rows], old[rows]))
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return Comparison(score(gold, new) - score(gold, old), float(low), float(high))


def _booleans(gold_NK: ArrayLike, given_NK: ArrayLike) -> tuple[Booleans, Booleans]:
    gold, given = np.asarray(gold_NK).astype(bool), np.asarray(given_NK).astype(bool)
    if gold.shape != given.shape or gold.ndim != 2:
        raise ValueError(f"gold {gold.shape} and answers {given.shape} must both be items × classes")
    return gold, given


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0

"""Doubtful gold: labels that model and sources contradict. They are listed for a person, and never changed.

Confident learning (Northcutt, Jiang and Chuang, 2021) per class, on out-of-fold probabilities. A label is doubtful if
the probability of its opposite is at least the mean of that probability over the items where the opposite is the gold.
The sources must contradict the label too.

The probabilities are those of the gate's out-of-fold trainings, so that a training needs no further one. Where held-out
gold judges, there are none, and the out-of-fold log-odds of label model and regression stand in for them.

Shape suffixes: N items, K classes, S sources.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.items import Gold
from model.problem import Problem
from model.tagger import Tagger
from model.training.supervision import supervise
from store.doubts import Doubt
from worker.corpus.corpus import Corpus

TOLD = 3  # sources and nearest tasks that are kept of a doubt


def doubtful(
    corpus: Corpus, tagger: Tagger, problem: Problem, probabilities: Mapping[int, Sequence[float]]
) -> list[Doubt]:
    """Return a corpus' doubtful gold, the most doubtful first.

    ``problem`` is the corpus' problem with the boxes that the tagger learned from. ``probabilities`` are the
    out-of-fold ones by task id, in the order of the tagger's labels; where there are none, the sources' count alone.
    """
    rows = sorted(problem.gold)
    if not rows:
        return []
    # Held-out gold is included, since each item is answered by models that were not trained on its family.
    weak = supervise(tagger, replace(problem, held_out=frozenset())).weak
    sources_NK = weak.probability_NK[rows].numpy()
    told = [probabilities.get(corpus.task_ids[row]) for row in rows]
    probability_NK = np.array([own if one is None else one for one, own in zip(told, sources_NK, strict=True)])
    labels_NK = problem.table(tagger.labels).labels_NK[rows]
    known_NK, gold_NK = ~labels_NK.isnan().numpy(), labels_NK.numpy() > 0.5
    against_NK = unlikely(gold_NK, known_NK, probability_NK) & ((sources_NK > 0.5) != gold_NK)
    found = []
    for n, k in zip(*np.nonzero(against_NK), strict=True):
        row, given = rows[n], bool(gold_NK[n, k])
        contradicting = [(name, share) for name, share in weak.because(row, int(k)) if (share < 0) is given]
        found.append(
            Doubt(
                task_id=corpus.task_ids[row],
                label=tagger.labels[k],
                given=given,
                probability=float(probability_NK[n, k]),
                gold=digest(problem.gold[row]),
                sources=tuple((name, round(share, 3)) for name, share in contradicting[:TOLD]),
                nearest=_nearest(corpus, problem, row, tagger.labels[k]),
            )
        )
    return sorted(found, key=lambda doubt: -doubt.strength)


def digest(gold: Gold) -> str:
    """Return a digest of the labels of a task's gold, by which it is known whether people changed them."""
    said = [sorted(gold.labels), sorted(gold.unknown)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _nearest(corpus: Corpus, problem: Problem, row: int, label: str) -> tuple[tuple[int, float, bool], ...]:
    """Return the nearest gold tasks of other products that know the label: id, similarity, whether it is there."""
    if problem.index is None:
        return ()
    neighbours = problem.index.neighbours
    pairs = zip(neighbours.gold_NM[row].tolist(), neighbours.similarity_NM[row].tolist(), strict=True)
    found = [
        (corpus.task_ids[other], round(similarity, 3), says)
        for other, similarity in pairs
        if other >= 0
        and problem.families[other] != problem.families[row]
        and (says := problem.gold[other].says(label)) is not None
    ]
    return tuple(found[:TOLD])


def unlikely(
    gold_NK: NDArray[np.bool_], known_NK: NDArray[np.bool_], probability_NK: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return where gold is unlikely: its opposite is at least as probable as on average where the opposite is the gold.

    The result is False where the gold is unknown.
    """
    gold_NK, absent_NK = gold_NK & known_NK, ~gold_NK & known_NK
    yes_K = _mean_where(probability_NK, gold_NK)
    no_K = _mean_where(1 - probability_NK, absent_NK)
    wrongly_absent_NK = absent_NK & (probability_NK >= np.maximum(yes_K, 0.5))
    wrongly_there_NK = gold_NK & (1 - probability_NK >= np.maximum(no_K, 0.5))
    return wrongly_absent_NK | wrongly_there_NK


def _mean_where(values_NK: NDArray[np.float64], where_NK: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the (K,) mean of each column over its true cells; 1 for a column without, which nothing exceeds."""
    counts_K = where_NK.sum(0)
    sums_K = (values_NK * where_NK).sum(0)
    return np.where(counts_K > 0, sums_K / np.maximum(counts_K, 1), 1.0)

"""What a shown box saves, in seconds, and from which score on it saves any.

A box costs a look. It saves the drawing of a box if it is turned into a gold box, less the edges that must be moved;
otherwise it must be deleted too. With P(e | s) the probability that a box of score s meets a gold box of its label with
e wrong edges, and ``gain(e)`` what such a box saves against deleting it and drawing:

    saved(s) = Σ_e P(e | s) · gain(e) - look - delete,     gain(e) = max(draw - e · edge + delete, 0)

A box is shown if it saves time. P is a proportional-odds model (McCullagh, 1980) of the score's log-odds:

    P(at most e wrong | s) = σ(a_e + b · logit s),     e = 0, 1, 2, 4

It is fitted to the boxes of held-out gold, as the posterior mode around what other pictures have taught: ``COLD`` and
``LEARNED``. So few gold boxes change little, and the time that a drawn box takes may be any.

Shape suffixes: N boxes, E limits of wrong edges, P numbers of the model.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment, minimize

from model.boxes.decode import apart
from model.boxes.effort import Seconds, Tolerance, wrong_edges
from model.boxes.head import COLD_BOXES
from model.items import LabelledBox, PredictedBox

Numbers = npt.NDArray[np.float64]

# Seconds of a drawn box where nobody has said how long it takes: halfway between a careful box and extreme clicking
# (model.boxes.effort).
DRAW = 16.0
# The limits of wrong edges that the model tells apart; boxes with three wrong edges are too few.
LIMITS = (0, 1, 2, 4)
# Wrong edges of a box that meets no gold box.
MISSED = 5
# Standard deviations of the prior of a and b. With 1 and .5 the noise of thirty boxes of a label moved its threshold.
SPREAD_A, SPREAD_B = 0.5, 0.25
# The least b: a better score never saves less.
LEAST_B = 0.05
# Scores are taken from this range; a box with a lower score is not shown, whatever it would save.
LOWEST, HIGHEST = 0.05, 0.99
# The threshold of a label whose boxes save no time at any score.
NEVER = 2.0


@dataclass(frozen=True)
class Worth:
    """The odds that boxes of a label are right, from their scores: a for each of `LIMITS`, and b."""

    a: tuple[float, ...]
    b: float

    @classmethod
    def fit(
        cls,
        scores: Sequence[float],
        wrong: Sequence[int],
        around: "Worth",
        spread: tuple[float, float] = (SPREAD_A, SPREAD_B),
    ) -> "Worth":
        """Return the posterior mode, given boxes with these scores and numbers of wrong edges (`MISSED` for none met).

        Each limit has a logistic loss, with half the weight, since the four losses of a box are not independent.
        """
        if not scores:
            return around
        odds_N = _logit(np.array(scores, dtype=np.float64))
        within_NE = (np.array(wrong)[:, None] <= np.array(LIMITS)).astype(np.float64)
        prior_P = np.array([*around.a, around.b])
        spread_P = np.array([spread[0]] * len(LIMITS) + [spread[1]])

        def loss(numbers_P: Numbers) -> tuple[float, Numbers]:
            logit_NE = numbers_P[:-1] + numbers_P[-1] * odds_N[:, None]
            away_P = (numbers_P - prior_P) / spread_P
            error_NE = 1 / (1 + np.exp(-logit_NE)) - within_NE
            slope_P = np.append(error_NE.sum(0), (error_NE * odds_N[:, None]).sum()) / 2 + away_P / spread_P
            total = (np.logaddexp(0, logit_NE) - within_NE * logit_NE).sum() / 2 + (away_P**2).sum() / 2
            return float(total), slope_P

        bounds = [(None, None)] * len(LIMITS) + [(LEAST_B, None)]
        found_P = minimize(loss, prior_P, jac=True, method="L-BFGS-B", bounds=bounds).x
        return cls(tuple(found_P[:-1].tolist()), float(found_P[-1]))

    def saved(self, scores: Numbers, seconds: Seconds) -> Numbers:
        """Return the seconds (N,) that boxes with these scores are expected to save when they are shown."""
        logit_NE = np.array(self.a) + self.b * _logit(scores)[:, None]
        gain_E = np.maximum(seconds.draw - seconds.edge * np.array(LIMITS) + seconds.delete, 0)
        # Of the boxes within the last limit half have three wrong edges, so that the gain is between both.
        gain_E[-1] = (gain_E[-1] + max(seconds.draw - seconds.edge * (LIMITS[-1] - 1) + seconds.delete, 0)) / 2
        # Each box within a limit is within the later limits too.
        steps_E = gain_E - np.append(gain_E[1:], 0)
        saved_N: Numbers = (1 / (1 + np.exp(-logit_NE))) @ steps_E - seconds.look - seconds.delete
        return saved_N

    def threshold(self, seconds: Seconds) -> float:
        """Return the lowest score at which a shown box saves time, or `NEVER`."""
        scores_N = np.arange(LOWEST, HIGHEST, 0.01, dtype=np.float64)
        pays_N = np.flatnonzero(self.saved(scores_N, seconds) > 0)
        return float(scores_N[pays_N[0]]) if len(pays_N) else NEVER


def _logit(scores: Numbers) -> Numbers:
    inside = scores.clip(1 - HIGHEST, HIGHEST)
    odds: Numbers = np.log(inside / (1 - inside))
    return odds


# Printed by `python -m bench.shown --fit` (docs/decisions/0049-what-a-box-saves.md says on what). COLD has the numbers
# of each kind of the lexicon before any gold, LEARNED those of all labels for a head that has learned from gold.
LEARNED = Worth((-0.68, 0.21, 0.61, 0.8), 1.19)
COLD: Mapping[str, Worth] = {
    "product": Worth((-2.07, -0.84, 0.07, 1.24), 1.25),
    "copy": Worth((-0.72, -0.04, 0.26, 0.37), 1.23),
    "logo": Worth((-1.29, -0.17, 0.19, 0.29), 1.1),
    "price": Worth((-1.7, -1.03, -0.23, 0.47), 2.01),
    "gift": Worth((-1.21, -0.64, -0.3, -0.12), 0.68),
}


def thresholds(
    found: Sequence[Sequence[PredictedBox]],
    gold: Sequence[Sequence[LabelledBox]],
    kinds: Mapping[str, str],
    *,
    draw: float = DRAW,
    unknown: Sequence[Set[str]] | None = None,
) -> list[float]:
    """Return for each label the threshold from which its boxes save time where a drawn box takes ``draw`` seconds.

    ``found`` and ``gold`` are the boxes of each picture, ``found`` by a model that was not trained on the picture. A
    picture that may have more gold boxes of a label than are known (``unknown``) does not count for the label.
    ``kinds`` are the labels, each with its kind of the lexicon.
    """
    pairs = list(zip(found, gold, unknown or [frozenset[str]()] * len(found), strict=True))
    answer = []
    for label, kind in kinds.items():
        known = [(boxes, drawn) for boxes, drawn, open_ in pairs if label not in open_]
        count = sum(entry.label == label for _, drawn in known for entry in drawn)
        # As the head's scores move from those of the cold start to learned ones, so does what is known of them.
        trust, cold = count / (count + COLD_BOXES), COLD.get(kind, LEARNED)
        a = tuple(trust * learned + (1 - trust) * own for learned, own in zip(LEARNED.a, cold.a, strict=True))
        prior = Worth(a, trust * LEARNED.b + (1 - trust) * cold.b)
        answer.append(Worth.fit(*outcomes(known, label), prior).threshold(replace(Seconds(), draw=draw)))
    return answer


def outcomes(
    pairs: Sequence[tuple[Sequence[PredictedBox], Sequence[LabelledBox]]], label: str
) -> tuple[list[float], list[int]]:
    """Return scores and wrong edges (`MISSED` for none met) of the boxes of a label that would be shown at any score.

    ``pairs`` are the found and the gold boxes of each picture. A gold box is met by one box, the one with the fewest
    wrong edges, and of equal ones the one with the best score.
    """
    tolerance = Tolerance()
    scores: list[float] = []
    wrong: list[int] = []
    for found, gold in pairs:
        shown = apart([box for box in found if box.label == label])
        wanted = [entry for entry in gold if entry.label == label]
        edges = np.full((len(shown), len(wanted)), float(MISSED))
        for row, entry in enumerate(shown):
            for column, target in enumerate(wanted):
                if entry.box.iou(target.box) >= tolerance.overlap:
                    edges[row, column] = wrong_edges(entry.box, target.box, tolerance) - entry.score / 1000
        met = dict(zip(*linear_sum_assignment(edges), strict=True))
        for row, entry in enumerate(shown):
            scores.append(entry.score)
            wrong.append(min(MISSED, round(edges[row, met[row]])) if row in met else MISSED)
    return scores, wrong

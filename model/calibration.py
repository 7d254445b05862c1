"""Per-class thresholds for the best F1: by the probabilities themselves where there is no gold to choose on, and by
held-out gold as far as there is some.

Shape suffixes: N items, K classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

USUAL = 0.45
"""Where nothing is known: the threshold that gives the best F1 is half that best F1 where probabilities are calibrated
(Lipton et al., 2014)."""
LEAST = 0.25
"""No lower, whatever the expectation: below, three labels given are wrong for one that is right."""
PRIOR_LABELS = 40.0
"""So many held-out labels of a class weigh as much as the expectation."""


@dataclass(frozen=True)
class Calibration:
    """Label k is given when its probability is over ``threshold_K[k]``."""

    threshold_K: Tensor

    @classmethod
    def neutral(cls, classes: int) -> "Calibration":
        return cls(torch.full((classes,), USUAL, dtype=torch.float64))

    @classmethod
    def expected(cls, probability_NK: Tensor) -> "Calibration":
        """Thresholds of the best expected F1 on these items, whose labels nobody needs to know.

        When a class's probabilities are all moved, its threshold moves along, so that few gold labels, which move
        them first, do not take a label from every item at once.
        """
        if not len(probability_NK):
            return cls.neutral(probability_NK.shape[1])
        ranked_NK = probability_NK.double().sort(dim=0, descending=True).values
        given_N1 = torch.arange(1, len(ranked_NK) + 1)[:, None]
        f1_NK = 2 * ranked_NK.cumsum(0) / (given_N1 + ranked_NK.sum(0))
        return cls((f1_NK.max(0).values / 2).clamp(min=LEAST))

    def fitted(self, probability_NK: Tensor, gold_NK: Tensor) -> "Calibration":
        """Moved towards the thresholds of the best F1 on items that the probabilities were not trained on."""
        thresholds = [
            _threshold(probability_NK[:, k], gold_NK[:, k], float(usual)) for k, usual in enumerate(self.threshold_K)
        ]
        return Calibration(torch.tensor(thresholds, dtype=torch.float64))

    def decide(self, probability_NK: Tensor) -> Tensor:
        """(N, K) True where the label is given."""
        return probability_NK > self.threshold_K


def _threshold(probability_N: Tensor, gold_N: Tensor, usual: float) -> float:
    known_N = ~gold_N.isnan() & ~probability_N.isnan()
    p, y = probability_N[known_N].double(), gold_N[known_N].double() > 0.5
    positives = int(y.sum())
    if positives == 0 or positives == len(y):
        return usual
    grid = torch.linspace(0.2, 0.8, 25, dtype=torch.float64)
    given_JN = p[None, :] > grid[:, None]
    f1_J = 2 * (given_JN & y).sum(1) / (given_JN.sum(1) + positives).clamp(min=1)
    best = grid[f1_J >= f1_J.max() - 1e-9].mean()
    trust = positives / (positives + PRIOR_LABELS)
    return float(trust * best + (1 - trust) * usual)

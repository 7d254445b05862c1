"""Per-class thresholds, chosen on gold that the tagger was not trained on, and shrunk to a usual one when that is
scarce.

Shape suffixes: N items, K classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

USUAL = 0.45
"""The threshold that gives the best F1 is half that best F1 where probabilities are calibrated (Lipton et al.,
2014)."""
PRIOR_LABELS = 40.0
"""So many labels of a class weigh as much as the usual threshold."""


@dataclass(frozen=True)
class Calibration:
    """Label k is given when its probability is over ``threshold_K[k]``."""

    threshold_K: Tensor

    @classmethod
    def neutral(cls, classes: int) -> "Calibration":
        return cls(torch.full((classes,), USUAL, dtype=torch.float64))

    @classmethod
    def fit(cls, probability_NK: Tensor, gold_NK: Tensor) -> "Calibration":
        """Thresholds that reach the best F1 on out-of-sample probabilities, moved towards the usual one by scarcity."""
        thresholds = [_threshold(probability_NK[:, k], gold_NK[:, k]) for k in range(gold_NK.shape[1])]
        return cls(torch.tensor(thresholds, dtype=torch.float64))

    def decide(self, probability_NK: Tensor) -> Tensor:
        """(N, K) True where the label is given."""
        return probability_NK > self.threshold_K


def _threshold(probability_N: Tensor, gold_N: Tensor) -> float:
    known_N = ~gold_N.isnan() & ~probability_N.isnan()
    p, y = probability_N[known_N].double(), gold_N[known_N].double() > 0.5
    positives = int(y.sum())
    if positives == 0 or positives == len(y):
        return USUAL
    grid = torch.linspace(0.2, 0.8, 25, dtype=torch.float64)
    given_JN = p[None, :] > grid[:, None]
    f1_J = 2 * (given_JN & y).sum(1) / (given_JN.sum(1) + positives).clamp(min=1)
    best = grid[f1_J >= f1_J.max() - 1e-9].mean()
    trust = positives / (positives + PRIOR_LABELS)
    return float(trust * best + (1 - trust) * USUAL)

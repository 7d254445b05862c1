"""Calibration: log-odds become probabilities, and probabilities become labels, class by class.

The scaling is fitted to gold, with log-odds of models that were not trained on that gold. Each threshold is that of the
best F1 that the probabilities themselves let expect, moved towards that of the best F1 on held-out gold.

Shape suffixes: N items, G gold items, H held-out items, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.state import State, prefixed

USUAL = 0.45
"""The threshold before any gold. For calibrated probabilities, the threshold of the best F1 is half that best F1
(Lipton et al., 2014), and this is half of an F1 of 0.9."""
UNKNOWN = 0.5
"""The threshold of a class without cues in the cold start: its even prior must not give the label to every item."""
LEAST = 0.25
"""The lowest threshold that is set without held-out gold. A label given at this probability is wrong in three of four
cases."""
PRIOR_LABELS = 40.0
"""With this many held-out positives, a class's threshold lies halfway between the expected and the held-out best."""
SLOPE_DEVIATION = 0.25
"""Standard deviation of the slopes' prior, whose mean is 1."""
SHIFT_DEVIATION = 0.5
"""Standard deviation of the shifts' prior, whose mean is 0."""
FEWEST_TO_SCALE = 50
"""With fewer gold items, log-odds are not scaled. A scaling by so few changes more answers than the gate can
distinguish from chance (docs/decisions/0032-calibration-out-of-fold.md)."""
LEAST_SLOPE = 0.2
"""The smallest slope. It keeps the order of the items whatever the gold says."""
ITERATIONS = 60
"""The most iterations of the solver."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Slopes, shifts and thresholds: p_k = sigmoid(slope_k · z_k + shift_k), and label k is given if p_k > threshold_k.

    calibration = Calibration.neutral(classes=5)
    given_NK = calibration.decide(calibration.probability(log_odds_NK))
    """

    threshold_K: Tensor
    slope_K: Tensor
    shift_K: Tensor

    def state(self) -> State:
        return State(prefixed("calibration.", vars(self)))

    @classmethod
    def from_state(cls, state: State) -> "Calibration":
        """Make the calibration again from its ``state()``."""
        return cls(**state.under("calibration."))

    @classmethod
    def neutral(cls, classes: int) -> "Calibration":
        """Return the calibration that leaves log-odds as they are and gives each class the usual threshold."""
        ones_K = torch.ones(classes, dtype=torch.float64)
        return cls(ones_K * USUAL, ones_K, ones_K * 0)

    @classmethod
    def cold(cls, has_cues_K: Tensor) -> "Calibration":
        """Return the neutral calibration, with the threshold `UNKNOWN` for the classes without cues."""
        neutral = cls.neutral(len(has_cues_K))
        return replace(neutral, threshold_K=torch.where(has_cues_K, neutral.threshold_K, UNKNOWN))

    @classmethod
    def of(cls, log_odds_NK: Tensor, unseen_GK: Tensor, gold_GK: Tensor) -> "Calibration":
        """Fit the scaling to gold, then set the thresholds of the best expected F1 on a pool.

        Args:
            log_odds_NK: of all items of the pool.
            unseen_GK: log-odds of the gold items by models that were not trained on these items.
            gold_GK: 1, 0, or NaN where the label is unknown.
        """
        slope_K, shift_K = _scaling(unseen_GK, gold_GK)
        scaled = cls(torch.full_like(slope_K, USUAL), slope_K, shift_K)
        return replace(scaled, threshold_K=cls.expected(scaled.probability(log_odds_NK)).threshold_K)

    @classmethod
    def expected(cls, probability_NK: Tensor) -> "Calibration":
        """Return the thresholds of the best expected F1 on items whose labels are not known.

        If few gold labels move all probabilities of a class, its threshold moves with them. A fixed threshold would
        give the label to every item, or take it from every item, at once.
        """
        if not len(probability_NK):
            return cls.neutral(probability_NK.shape[1])
        ranked_NK = probability_NK.double().sort(dim=0, descending=True).values
        # Row n is the case in which the n + 1 most probable items get the label. Then F1 is, in expectation, about
        # 2 Σ p of these items / (n + 1 + Σ p of all items).
        given_N1 = torch.arange(1, len(ranked_NK) + 1)[:, None]
        f1_NK = 2 * ranked_NK.cumsum(0) / (given_N1 + ranked_NK.sum(0))
        return replace(cls.neutral(probability_NK.shape[1]), threshold_K=(f1_NK.max(0).values / 2).clamp(min=LEAST))

    def fitted(self, log_odds_HK: Tensor, gold_HK: Tensor) -> "Calibration":
        """Return the calibration with thresholds moved towards those of the best F1 on held-out items.

        ``gold_HK`` is 1, 0, or NaN where the label is unknown.
        """
        p_HK = self.probability(log_odds_HK)
        thresholds = [_threshold(p_HK[:, k], gold_HK[:, k], float(usual)) for k, usual in enumerate(self.threshold_K)]
        return replace(self, threshold_K=torch.tensor(thresholds, dtype=torch.float64))

    def probability(self, log_odds_NK: Tensor) -> Tensor:
        """Return the (N, K) float64 probabilities of log-odds."""
        return torch.sigmoid(self.slope_K * log_odds_NK.double() + self.shift_K)

    def decide(self, probability_NK: Tensor) -> Tensor:
        """Return (N, K) booleans, true where the item is given the label."""
        return probability_NK > self.threshold_K


def _threshold(probability_N: Tensor, gold_N: Tensor, usual: float) -> float:
    """Return one class's threshold between ``usual`` and that of the best F1 on gold, by the number of positives."""
    known_N = ~gold_N.isnan() & ~probability_N.isnan()
    p, y = probability_N[known_N].double(), gold_N[known_N].double() > 0.5
    positives = int(y.sum())
    # Without both positives and negatives, no threshold is better than another at separating them.
    if positives == 0 or positives == len(y):
        return usual
    grid = torch.linspace(0.2, 0.8, 25, dtype=torch.float64)
    given_JN = p[None, :] > grid[:, None]
    f1_J = 2 * (given_JN & y).sum(1) / (given_JN.sum(1) + positives).clamp(min=1)
    # The best F1 often holds for a range of thresholds. The middle of the range is the least sensitive to new items.
    best = grid[f1_J >= f1_J.max() - 1e-9].mean()
    trust = positives / (positives + PRIOR_LABELS)
    return float(trust * best + (1 - trust) * usual)


def _scaling(log_odds_GK: Tensor, gold_GK: Tensor) -> tuple[Tensor, Tensor]:
    """Return (K,) slopes and shifts: Platt scaling (1999) under a normal prior around the identity.

    With fewer than `FEWEST_TO_SCALE` gold items, return the identity.
    """
    known_GK = ~gold_GK.isnan()
    target_GK = gold_GK.nan_to_num(0.0).double()
    # Row 0 is the slope less 1, row 1 the shift, so that zeros are the identity.
    scaling_2K = torch.zeros(2, gold_GK.shape[1], dtype=torch.float64, requires_grad=True)
    deviation_2K = torch.tensor([[SLOPE_DEVIATION], [SHIFT_DEVIATION]], dtype=torch.float64)
    solver = torch.optim.LBFGS([scaling_2K], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        logit_GK = (1 + scaling_2K[0]) * log_odds_GK.double() + scaling_2K[1]
        error_GK = binary_cross_entropy_with_logits(logit_GK, target_GK, reduction="none")
        total = (error_GK * known_GK).sum() + (scaling_2K / deviation_2K).square().sum() / 2
        torch.autograd.backward(total)
        return total

    if int(known_GK.any(1).sum()) >= FEWEST_TO_SCALE:
        # torch declares no types for ``step``.
        take_step: Callable[[Callable[[], Tensor]], Tensor] = solver.step
        take_step(loss)
    slope_K, shift_K = scaling_2K.detach()
    return (1 + slope_K).clamp(min=LEAST_SLOPE), shift_K

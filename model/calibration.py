"""From log-odds to probabilities to labels, class by class: probabilities scaled by gold that was not trained on, and
thresholds for the best F1, by the probabilities themselves where there is no gold to choose on, by held-out gold as far
as there is some.

Shape suffixes: N items, G gold items, H held-out items, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.state import State, prefixed

USUAL = 0.45
"""Where nothing is known: the threshold that gives the best F1 is half that best F1 where probabilities are calibrated
(Lipton et al., 2014)."""
UNKNOWN = 0.5
"""The cold start's, for a label that no cue speaks for: even odds are no reason to give it."""
LEAST = 0.25
"""No lower, whatever the expectation: below, three labels given are wrong for one that is right."""
PRIOR_LABELS = 40.0
"""So many held-out labels of a class weigh as much as the expectation."""


SLOPE_DEVIATION = 0.25
SHIFT_DEVIATION = 0.5
"""Of the scaling's prior around the identity: log-odds come from models with priors of their own."""
FEWEST_TO_SCALE = 50
"""With fewer gold items log-odds are taken as they are: a scaling by so few changes more answers than the gate can tell
from chance (docs/decisions/0032-calibration-out-of-fold.md)."""
LEAST_SLOPE = 0.2
"""Whatever gold says, more log-odds are more probability."""
ITERATIONS = 60


@dataclass(frozen=True, eq=False)
class Calibration:
    """From log-odds z_k to p_k = sigmoid(slope_k · z_k + shift_k), and to the label k where p_k is over threshold_k."""

    threshold_K: Tensor
    slope_K: Tensor
    shift_K: Tensor

    def state(self) -> State:
        return State(prefixed("calibration.", vars(self)))

    @classmethod
    def from_state(cls, state: State) -> "Calibration":
        """The calibration whose ``state()`` this is."""
        return cls(**state.under("calibration."))

    @classmethod
    def neutral(cls, classes: int) -> "Calibration":
        """Log-odds are taken as they are, and the usual threshold holds for each class."""
        ones_K = torch.ones(classes, dtype=torch.float64)
        return cls(ones_K * USUAL, ones_K, ones_K * 0)

    @classmethod
    def cold(cls, has_cues_K: Tensor) -> "Calibration":
        """Neutral, but that a class without cues is not given at even odds."""
        neutral = cls.neutral(len(has_cues_K))
        return replace(neutral, threshold_K=torch.where(has_cues_K, neutral.threshold_K, UNKNOWN))

    @classmethod
    def of(cls, log_odds_NK: Tensor, unseen_GK: Tensor, gold_GK: Tensor) -> "Calibration":
        """For a pool's (N, K) log-odds, by gold (1, 0 or NaN) and log-odds of it that were not trained on it.

        Scaling as in Platt (1999), held near the identity; then thresholds of the best expected F1 in the pool.
        """
        slope_K, shift_K = _scaling(unseen_GK, gold_GK)
        scaled = cls(torch.full_like(slope_K, USUAL), slope_K, shift_K)
        return replace(scaled, threshold_K=cls.expected(scaled.probability(log_odds_NK)).threshold_K)

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
        return replace(cls.neutral(probability_NK.shape[1]), threshold_K=(f1_NK.max(0).values / 2).clamp(min=LEAST))

    def fitted(self, log_odds_HK: Tensor, gold_HK: Tensor) -> "Calibration":
        """Thresholds moved towards those of the best F1 on held-out items."""
        p_HK = self.probability(log_odds_HK)
        thresholds = [_threshold(p_HK[:, k], gold_HK[:, k], float(usual)) for k, usual in enumerate(self.threshold_K)]
        return replace(self, threshold_K=torch.tensor(thresholds, dtype=torch.float64))

    def probability(self, log_odds_NK: Tensor) -> Tensor:
        """(N, K) float64 in (0, 1)."""
        return torch.sigmoid(self.slope_K * log_odds_NK.double() + self.shift_K)

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


def _scaling(log_odds_GK: Tensor, gold_GK: Tensor) -> tuple[Tensor, Tensor]:
    """(K,) slopes and shifts: the mode given the gold and the prior, the identity where there is too little gold."""
    known_GK = ~gold_GK.isnan()
    target_GK = gold_GK.nan_to_num(0.0).double()
    scaling_2K = torch.zeros(2, gold_GK.shape[1], dtype=torch.float64, requires_grad=True)  # from the identity
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
        take_step: Callable[[Callable[[], Tensor]], Tensor] = solver.step
        take_step(loss)
    slope_K, shift_K = scaling_2K.detach()
    return (1 + slope_K).clamp(min=LEAST_SLOPE), shift_K

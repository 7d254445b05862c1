"""Credence: how far the log-odds move from the cues' towards the trained ones.

    log-odds = cold + c · (trained − cold)
    p(c | gold) ∝ N(c; G² / (G² + 25²), .25²) · Π over gold labels of the probability that the mixture gives them
    credence = the mean of p

This is stacking of two predictors (Wolpert, 1992; Yao et al., 2018, *Using stacking to average Bayesian predictive
distributions*) with a prior on the weight. The prior keeps a dozen gold labels from overruling the cues, unless the
cues are wrong about the gold and the trained log-odds are right about it without having been trained on it.

Shape suffixes: G gold items, K classes, C credences.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.state import State

HALF_CREDENCE = 25.0
"""Number of gold items at which the mean of the prior is one half."""
DEVIATION = 0.25
"""Standard deviation of the prior."""
GRID_C = torch.linspace(0, 1, 41, dtype=torch.float64)


def prior_credence(gold: float) -> float:
    """Return the mean of the prior for ``gold`` gold items, in [0, 1)."""
    return gold**2 / (gold**2 + HALF_CREDENCE**2)


@dataclass(frozen=True)
class Credence:
    """The weight in [0, 1] of the trained log-odds; the cues' log-odds have the rest."""

    share: float = 0.0

    @classmethod
    def of(cls, cold_GK: Tensor, trained_GK: Tensor, gold_GK: Tensor, weight_G: Tensor) -> "Credence":
        """Return the posterior mean of the weight.

        Args:
            cold_GK: log-odds of the cues alone.
            trained_GK: log-odds of models that were not trained on these items.
            gold_GK: 1, 0, or NaN where the label is unknown.
            weight_G: weights of the gold items, in (0, 1].
        """
        known_GK = ~gold_GK.isnan() * weight_G[:, None].double()
        mixed_CGK = torch.lerp(cold_GK, trained_GK, GRID_C[:, None, None])
        target_CGK = gold_GK.nan_to_num(0.0).double().expand_as(mixed_CGK)
        error_CGK = binary_cross_entropy_with_logits(mixed_CGK, target_CGK, reduction="none")
        # Both terms are negative logarithms: the squared distance from the prior's mean, and the gold's cross-entropy.
        prior_C = ((GRID_C - prior_credence(len(gold_GK))) / DEVIATION).square() / 2
        share_C = torch.softmax(-(error_CGK * known_GK).sum((1, 2)) - prior_C, dim=0)
        return cls(float((share_C * GRID_C).sum()))

    def state(self) -> State:
        return State(facts={"credence": self.share})

    @classmethod
    def from_state(cls, state: State) -> "Credence":
        """Make the credence again from the tagger's ``state()``."""
        return cls(state.facts["credence"])

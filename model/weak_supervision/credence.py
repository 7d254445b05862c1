"""Credence: how far what was learned from gold may move the cues' log-odds, by how much better it has answered gold.

    log-odds = cold + c · (trained − cold)
    p(c | gold) ∝ N(c; G² / (G² + 25²), .25²) · Π over gold of the probability given to it,     c = the mean of p

Stacking of two predictors (Wolpert, 1992; Yao et al., 2018, *Using stacking to average Bayesian predictive
distributions*) with a prior on the weight: a dozen gold labels seldom overrule the cues, unless cues are wrong on them
where the trained are right on gold that they have not seen.

Shape suffixes: G gold items, K classes, C credences.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.state import State

HALF_CREDENCE = 25.0
"""With so many gold items the prior says half."""
DEVIATION = 0.25
GRID_C = torch.linspace(0, 1, 41, dtype=torch.float64)


def prior_credence(gold: float) -> float:
    """What so many gold items are worth before any of them is looked at."""
    return gold**2 / (gold**2 + HALF_CREDENCE**2)


@dataclass(frozen=True)
class Credence:
    """The share, in [0, 1], of the way from the cues' log-odds to the trained ones."""

    share: float = 0.0

    @classmethod
    def of(cls, cold_GK: Tensor, trained_GK: Tensor, gold_GK: Tensor, weight_G: Tensor) -> "Credence":
        """Find the share from gold (1, 0, or NaN for unknown). The log-odds must not have been trained on that gold."""
        known_GK = ~gold_GK.isnan() * weight_G[:, None].double()
        mixed_CGK = torch.lerp(cold_GK, trained_GK, GRID_C[:, None, None])
        target_CGK = gold_GK.nan_to_num(0.0).double().expand_as(mixed_CGK)
        error_CGK = binary_cross_entropy_with_logits(mixed_CGK, target_CGK, reduction="none")
        prior_C = ((GRID_C - prior_credence(len(gold_GK))) / DEVIATION).square() / 2
        share_C = torch.softmax(-(error_CGK * known_GK).sum((1, 2)) - prior_C, dim=0)
        return cls(float((share_C * GRID_C).sum()))

    def state(self) -> State:
        return State(facts={"credence": self.share})

    @classmethod
    def from_state(cls, state: State) -> "Credence":
        """The credence whose ``state()`` this is."""
        return cls(state.facts["credence"])

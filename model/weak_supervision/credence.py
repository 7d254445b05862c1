"""Credence: how far the log-odds of each class move from the cues' towards the trained ones.

    log-odds_k = cold_k + c_k · (trained_k − cold_k)
    L = cross-entropy of the cues on gold, in nats: summed over the gold items, mean of the classes with known gold
    p(c | gold) ∝ N(c; L² / (L² + 4²), .25²) · Π over gold labels of the probability that the mixture gives them
    p(c_k | gold) ∝ N(c_k; mean of p(c | gold), .1²) · Π over gold labels of class k of that probability
    credence_k = the mean of p(c_k | gold)

This is stacking of two predictors (Wolpert, 1992; Yao et al., 2018, *Using stacking to average Bayesian predictive
distributions*) with a prior on the weight. The prior keeps a dozen gold labels from overruling the cues, unless the
cues were wrong about them: it grows with what the cues have lost on gold, not with the number of gold items. (CLAP,
Silva-Rodríguez et al., 2023, holds a linear probe to its zero-shot weights by how well they do on each class.) A class
starts from the credence that all classes share, and its own gold moves it.

Shape suffixes: G gold items, K classes, C credences.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.state import State

HALF_LOSS = 4.0
"""Cross-entropy of the cues on gold, in nats, at which the mean of the prior is one half."""
DEVIATION = 0.25
"""Standard deviation of the prior of the credence that all classes share."""
CLASS_DEVIATION = 0.1
"""Standard deviation of the prior of one class's credence around the shared one."""
GRID_C = torch.linspace(0, 1, 41, dtype=torch.float64)


def prior_credence(loss: float) -> float:
    """Return the mean of the prior where the cues have lost ``loss`` nats on gold, in [0, 1)."""
    return loss**2 / (loss**2 + HALF_LOSS**2)


@dataclass(frozen=True)
class Credence:
    """The weight in [0, 1] of each class's trained log-odds; the cues' log-odds have the rest.

    ``shares`` has one weight for each class. Before the first training it is empty, and all weights are 0.
    """

    shares: tuple[float, ...] = ()

    @classmethod
    def of(cls, cold_GK: Tensor, trained_GK: Tensor, gold_GK: Tensor, weight_G: Tensor) -> "Credence":
        """Return the posterior means of the weights.

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
        error_CK = (error_CGK * known_GK).sum(1)
        # At credence 0, the first of the grid, the mixture is the cues alone.
        prior = prior_credence(float(error_CK[0].sum()) / max(1, int(known_GK.any(0).sum())))
        # All terms are negative logarithms: the squared distance from the prior's mean, and the gold's cross-entropy.
        prior_C = ((GRID_C - prior) / DEVIATION).square() / 2
        shared = float(torch.softmax(-error_CK.sum(1) - prior_C, dim=0) @ GRID_C)
        around_C1 = ((GRID_C[:, None] - shared) / CLASS_DEVIATION).square() / 2
        return cls(tuple((GRID_C @ torch.softmax(-error_CK - around_C1, dim=0)).tolist()))

    def state(self) -> State:
        return State(facts={"credence": list(self.shares)})

    @classmethod
    def from_state(cls, state: State) -> "Credence":
        """Make the credence again from the tagger's ``state()``. Older states have one number for all classes."""
        stored = state.facts["credence"]
        return cls(tuple(stored) if isinstance(stored, list) else (float(stored),) * len(state.facts["labels"]))

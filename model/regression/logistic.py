"""Logistic regression on the evidence, which corrects the log-odds of the label model.

    z_k(x) = offset_k(x) + b_k + a_k · φ(x),   a_k ~ N(0, 1 / RIDGE),  b_k ~ N(0, BIAS_DEVIATION²)

The offset is the log-odds of the label model and φ is the evidence. The posterior mode is unique, because the objective
is strictly convex. It is finite for any gold, and 0 without gold.

Shape suffixes: N items, K classes, D evidence.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.state import State, prefixed

RIDGE = 1.0
"""Inverse variance of the coefficients' prior."""
BIAS_DEVIATION = 0.3
"""Standard deviation of the biases' prior."""
ITERATIONS = 60
"""The most iterations of the solver."""


@dataclass(frozen=True)
class Regression:
    """The bias b_k and the coefficients a_k of each class.

    regression = Regression.fit(evidence_ND[rows], offset_NK[rows], gold_NK[rows], weight_N[rows])
    corrected_NK = offset_NK + regression.log_odds(evidence_ND)
    """

    bias_K: Tensor
    weight_DK: Tensor

    @classmethod
    def fit(cls, evidence_ND: Tensor, offset_NK: Tensor, gold_NK: Tensor, weight_N: Tensor) -> "Regression":
        """Fit the regression to gold items.

        Args:
            evidence_ND: their evidence.
            offset_NK: their log-odds by the label model.
            gold_NK: 1, 0, or NaN where the label is unknown.
            weight_N: weights of the items in (0, 1].
        """
        known_NK = ~gold_NK.isnan()
        weight_NK = known_NK * weight_N[:, None].double()
        target_NK = gold_NK.nan_to_num(0.0).double()
        if len(evidence_ND) < evidence_ND.shape[1]:
            # With a ridge, the solution lies in the span of the rows, where the search is much smaller.
            basis_DR, _ = torch.linalg.qr(evidence_ND.T)
            coordinates_NR = evidence_ND @ basis_DR
        else:
            basis_DR, coordinates_NR = torch.eye(evidence_ND.shape[1], dtype=torch.float64), evidence_ND
        bias_K = torch.zeros(gold_NK.shape[1], dtype=torch.float64, requires_grad=True)
        weight_RK = torch.zeros(coordinates_NR.shape[1], gold_NK.shape[1], dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS([bias_K, weight_RK], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            solver.zero_grad()
            logit_NK = offset_NK + bias_K + coordinates_NR @ weight_RK
            error = (binary_cross_entropy_with_logits(logit_NK, target_NK, reduction="none") * weight_NK).sum()
            prior = RIDGE * weight_RK.square().sum() + bias_K.square().sum() / BIAS_DEVIATION**2
            total = error + prior / 2
            torch.autograd.backward(total)
            return total

        # torch declares no types for ``step``.
        take_step: Callable[[Callable[[], Tensor]], Tensor] = solver.step
        take_step(loss)
        return cls(bias_K.detach(), basis_DR @ weight_RK.detach())

    def state(self) -> State:
        return State(prefixed("regression.", vars(self)))

    @classmethod
    def from_state(cls, state: State) -> "Regression | None":
        """Make the regression again from the tagger's ``state()``. Return None if none was trained."""
        tensors = state.under("regression.")
        return cls(**tensors) if tensors else None

    def log_odds(self, evidence_ND: Tensor) -> Tensor:
        """Return the (N, K) log-odds to add to the offset."""
        return self.bias_K + evidence_ND @ self.weight_DK

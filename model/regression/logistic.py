"""Logistic regression on the evidence, around the label model: it corrects the log-odds as far as gold supports it.

    z_k(x) = offset_k(x) + b_k + a_k · φ(x),   a_k ~ N(0, 1 / RIDGE),  b_k ~ N(0, BIAS_DEVIATION²)

The posterior mode is unique (the objective is strictly convex), finite for any gold, and zero without gold.

Shape suffixes: N items, K classes, D evidence.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model.state import State, prefixed

RIDGE = 1.0
BIAS_DEVIATION = 0.3
ITERATIONS = 60


@dataclass(frozen=True)
class Regression:
    """Coefficients of every class."""

    bias_K: Tensor
    weight_DK: Tensor

    @classmethod
    def fit(cls, evidence_ND: Tensor, offset_NK: Tensor, gold_NK: Tensor, weight_N: Tensor) -> "Regression":
        """On gold 1, 0 or NaN (unknown, left out), with the label model's log-odds as offset."""
        known_NK = ~gold_NK.isnan()
        weight_NK = known_NK * weight_N[:, None].double()
        target_NK = gold_NK.nan_to_num(0.0).double()
        basis_DR, coordinates_NR = _row_space(evidence_ND)
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

        take_step: Callable[[Callable[[], Tensor]], Tensor] = solver.step
        take_step(loss)
        return cls(bias_K.detach(), basis_DR @ weight_RK.detach())

    def state(self) -> State:
        return State(prefixed("regression.", vars(self)))

    @classmethod
    def from_state(cls, state: State) -> "Regression | None":
        """The regression whose ``state()`` this is; None where none was trained."""
        tensors = state.under("regression.")
        return cls(**tensors) if tensors else None

    def log_odds(self, evidence_ND: Tensor) -> Tensor:
        """(N, K) what to add to the offset."""
        return self.bias_K + evidence_ND @ self.weight_DK


def _row_space(evidence_ND: Tensor) -> tuple[Tensor, Tensor]:
    """A basis of the span of few rows, and their coordinates in it: with a ridge the solution lies in that span."""
    if len(evidence_ND) >= evidence_ND.shape[1]:
        return torch.eye(evidence_ND.shape[1], dtype=torch.float64), evidence_ND
    basis_DR, _ = torch.linalg.qr(evidence_ND.T)
    return basis_DR, evidence_ND @ basis_DR

"""The label model: several opinions on each label become one probability, each trusted as far as gold supports it.

A source gives an opinion in log-odds (0: nothing to say). The combined log-odds of class k are

    z_k(x) = b_k + Σ_s w_sk · opinion_sk(x)

with b_k and w_sk the posterior mode of a logistic regression on gold under Gaussian priors: b_k around the cues' prior
log-odds, w_sk around the source's prior trust. With no gold that is the prior itself (the cold start); with more gold
the data decide; with one label, no positives or contradictions the prior keeps the answer finite. Sources that repeat
each other share their weight, which a vote of independent sources (Dawid and Skene, 1979) would not do.

Shape suffixes: S sources, N items, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.state import State, prefixed

BIAS_DEVIATION = 1.0
TRUST_DEVIATION = 0.5
REGRESSION = "regression on the evidence"
ACCURACY_PRIOR = (4.0, 1.0)
"""Beta prior of a source's accuracy: right in four of five cases where it speaks, worth five labels."""


@dataclass(frozen=True)
class Opinions:
    """What each source says, in log-odds, with the trust that each source has before any gold."""

    names: tuple[str, ...]
    log_odds_SNK: Tensor
    prior_trust_SK: Tensor
    prior_K: Tensor

    def __post_init__(self) -> None:
        sources, _, classes = self.log_odds_SNK.shape
        if (len(self.names), classes) != self.prior_trust_SK.shape or sources != len(self.names):
            raise ValueError(
                f"{len(self.names)} source names do not fit opinions of shape {tuple(self.log_odds_SNK.shape)}"
            )

    def rows(self, index: Sequence[int] | Tensor) -> "Opinions":
        """The same sources on some of the items."""
        return Opinions(self.names, self.log_odds_SNK[:, index], self.prior_trust_SK, self.prior_K)


@dataclass(frozen=True)
class WeakLabels:
    """Probability and confidence in [0, 1] per item and class, and which source said what.

    ``provenance_SNK`` holds each source's share in the log-odds, so that the sum over S plus the bias is the log-odds.
    """

    probability_NK: Tensor
    confidence_NK: Tensor
    sources: tuple[str, ...]
    provenance_SNK: Tensor

    def because(self, item: int, label: int) -> list[tuple[str, float]]:
        """The sources behind one weak label, the weightiest first."""
        parts = [(name, float(self.provenance_SNK[s, item, label])) for s, name in enumerate(self.sources)]
        return sorted((part for part in parts if part[1]), key=lambda part: -abs(part[1]))


@dataclass(frozen=True)
class LabelModel:
    """Trust in each source per class, and what was measured of it on gold."""

    names: tuple[str, ...]
    bias_K: Tensor
    trust_SK: Tensor
    accuracy_SK: Tensor
    gold: int

    @classmethod
    def fit(cls, opinions: Opinions, gold_NK: Tensor, weight_N: Tensor | None = None) -> "LabelModel":
        """Estimate from gold: 1, 0, or NaN where an item has no gold. ``weight_N`` is the annotators' agreement."""
        known_N = ~gold_NK.isnan().all(1)
        weights_N = torch.ones(len(gold_NK), dtype=torch.float64) if weight_N is None else weight_N.double()
        fitted = [_posterior_mode(opinions, gold_NK, weights_N, k) for k in range(gold_NK.shape[1])]
        parameters_KS1 = torch.stack(fitted) if fitted else torch.zeros(0, len(opinions.names) + 1)
        return cls(
            opinions.names,
            parameters_KS1[:, 0],
            parameters_KS1[:, 1:].T.contiguous(),
            _accuracy(opinions, gold_NK),
            int(known_N.sum()),
        )

    def state(self) -> State:
        tensors = {"bias_K": self.bias_K, "trust_SK": self.trust_SK, "accuracy_SK": self.accuracy_SK}
        return State(prefixed("label_model.", tensors), {"sources": list(self.names), "gold": self.gold})

    @classmethod
    def from_state(cls, state: State) -> "LabelModel":
        """The model whose ``state()`` this is."""
        return cls(tuple(state.facts["sources"]), **state.under("label_model."), gold=state.facts["gold"])

    def accuracies(self, labels: Sequence[str]) -> dict[str, dict[str, float]]:
        """Source → label → share of gold that it is right about where it speaks (posterior mean)."""
        rows = zip(self.names, self.accuracy_SK.tolist(), strict=True)
        return {name: dict(zip(labels, row_K, strict=True)) for name, row_K in rows}

    def log_odds(self, opinions: Opinions) -> Tensor:
        """(N, K) combined log-odds."""
        if opinions.names != self.names:
            raise ValueError("the label model was fitted to other sources; fit it again")
        return self.bias_K + (self.trust_SK[:, None] * opinions.log_odds_SNK).sum(0)

    def weak_labels(self, opinions: Opinions, correction_NK: Tensor | None = None) -> WeakLabels:
        """What the pool may be taught: probabilities, confidence, and who said what.

        ``correction_NK`` is added to the log-odds and told as one more source. Confidence is 1 - H(p) in bits: what an
        item's label is worth as a target (Iscen et al., 2019).
        """
        shares_SNK, names = self.trust_SK[:, None] * opinions.log_odds_SNK, self.names
        if correction_NK is not None:
            shares_SNK, names = torch.cat([shares_SNK, correction_NK[None]]), (*names, REGRESSION)
        probability_NK = torch.sigmoid(self.bias_K + shares_SNK.sum(0))
        p = probability_NK.clamp(1e-6, 1 - 1e-6)
        entropy_NK = -(p * p.log2() + (1 - p) * (1 - p).log2())
        return WeakLabels(probability_NK, 1 - entropy_NK, names, shares_SNK)


def _posterior_mode(opinions: Opinions, gold_NK: Tensor, weight_N: Tensor, k: int) -> Tensor:
    """(1 + S,) bias and trusts of class k, by Newton's method on a strictly convex objective."""
    rows = (~gold_NK[:, k].isnan()).nonzero()[:, 0]
    x = torch.cat([torch.ones(len(rows), 1, dtype=torch.float64), opinions.log_odds_SNK[:, rows, k].T], dim=1)
    y, weight = gold_NK[rows, k].double(), weight_N[rows]
    centre = torch.cat([opinions.prior_K[k : k + 1], opinions.prior_trust_SK[:, k]])
    precision = torch.full_like(centre, TRUST_DEVIATION**-2)
    precision[0] = BIAS_DEVIATION**-2
    mode = centre.clone()
    for _ in range(50):
        p = torch.sigmoid(x @ mode)
        gradient = x.T @ (weight * (p - y)) + precision * (mode - centre)
        hessian = (x.T * (weight * p * (1 - p))) @ x + torch.diag(precision)
        step = torch.linalg.solve(hessian, gradient)
        mode = mode - step * min(1.0, 2.0 / float(step.norm().clamp(min=1e-12)))
        if float(step.abs().max()) < 1e-8:
            break
    return mode


def _accuracy(opinions: Opinions, gold_NK: Tensor) -> Tensor:
    """(S, K) posterior mean share of gold labels, among those that the source speaks on, that it is right about."""
    spoken_SNK = (opinions.log_odds_SNK != 0) & ~gold_NK.isnan()
    right_SNK = spoken_SNK & ((opinions.log_odds_SNK > 0) == (gold_NK > 0.5))
    right, wrong = ACCURACY_PRIOR
    return (right_SNK.sum(1) + right) / (spoken_SNK.sum(1) + right + wrong)

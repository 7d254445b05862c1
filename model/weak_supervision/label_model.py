"""The label model: combine the sources' opinions on each label into one probability, with weights learned from gold.

An opinion is a number in log-odds; 0 means that the source has no opinion. The combined log-odds of class k are

    z_k(x) = b_k + Σ_s w_sk · opinion_sk(x)

The biases b_k and weights w_sk (the trust in source s) are the posterior mode of a logistic regression on gold. Their
priors are Gaussian: b_k around the prior log-odds of the cues, w_sk around the source's prior trust. Without gold, the
mode is the mean of the prior (the cold start). The more gold, the less the prior counts. A class without positives, or
with contradicting gold, still has a finite mode. Sources that repeat each other share their weight, unlike in a vote of
independent sources (Dawid and Skene, 1979).

Shape suffixes: S sources, N items, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.state import State, prefixed

BIAS_DEVIATION = 1.0
"""Standard deviation of the biases' prior."""
TRUST_DEVIATION = 0.5
"""Standard deviation of the weights' prior."""
REGRESSION = "regression on the evidence"
"""The name of the regression's correction in `WeakLabels.sources`."""
ACCURACY_PRIOR = (4.0, 1.0)
"""Beta prior of a source's accuracy: as if it had been right on four gold labels and wrong on one."""
CONFIDENT = 0.05
"""Weak labels of a lower confidence are not told: they carry no information."""


@dataclass(frozen=True)
class Opinions:
    """The opinion of each source on each item and class, in log-odds, and the priors of the label model."""

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
        """Return the opinions of the same sources on some of the items."""
        return Opinions(self.names, self.log_odds_SNK[:, index], self.prior_trust_SK, self.prior_K)


@dataclass(frozen=True)
class WeakLabel:
    """One label of one item: probability and confidence in [0, 1], and what each source adds to the log-odds."""

    probability: float
    confidence: float
    sources: Mapping[str, float]


@dataclass(frozen=True)
class WeakLabels:
    """The probability of each label of each item, and the confidence in it, both in [0, 1].

    ``provenance_SNK`` is what each source adds to the log-odds: their sum over S plus the bias gives the log-odds.
    """

    probability_NK: Tensor
    confidence_NK: Tensor
    sources: tuple[str, ...]
    provenance_SNK: Tensor

    def because(self, item: int, label: int) -> list[tuple[str, float]]:
        """Return the sources that moved one weak label, each with what it added, the largest amount first."""
        parts = zip(self.sources, self.provenance_SNK[:, item, label].tolist(), strict=True)
        return sorted((part for part in parts if part[1]), key=lambda part: -abs(part[1]))

    def of(self, item: int, labels: Sequence[str]) -> dict[str, WeakLabel]:
        """Return the weak labels of one item by label, without those of which nothing is known."""
        pairs = zip(labels, self.probability_NK[item].tolist(), self.confidence_NK[item].tolist(), strict=True)
        return {
            label: WeakLabel(probability, confidence, dict(self.because(item, k)))
            for k, (label, probability, confidence) in enumerate(pairs)
            if confidence >= CONFIDENT
        }


@dataclass(frozen=True)
class LabelModel:
    """The bias of each class, and the trust in each source and its accuracy on gold for each class.

    ``gold`` is the number of gold items that the model was fitted to.

        model = LabelModel.fit(opinions, gold_NK)
        weak = model.weak_labels(opinions)
    """

    names: tuple[str, ...]
    bias_K: Tensor
    trust_SK: Tensor
    accuracy_SK: Tensor
    gold: int

    @classmethod
    def fit(cls, opinions: Opinions, gold_NK: Tensor, weight_N: Tensor | None = None) -> "LabelModel":
        """Fit the model to gold.

        Args:
            opinions: of the sources on all items.
            gold_NK: 1, 0, or NaN where the label is unknown.
            weight_N: weights of the items in (0, 1], by the agreement of their annotators; None means 1.
        """
        known_N = ~gold_NK.isnan().all(1)
        weights_N = torch.ones(len(gold_NK), dtype=torch.float64) if weight_N is None else weight_N.double()
        fitted = [_posterior_mode(opinions, gold_NK, weights_N, k) for k in range(gold_NK.shape[1])]
        parameters_KS1 = torch.stack(fitted) if fitted else torch.zeros(0, len(opinions.names) + 1)
        # Where a source has no opinion, it is neither right nor wrong.
        spoken_SNK = (opinions.log_odds_SNK != 0) & ~gold_NK.isnan()
        right_SNK = spoken_SNK & ((opinions.log_odds_SNK > 0) == (gold_NK > 0.5))
        right, wrong = ACCURACY_PRIOR
        accuracy_SK = (right_SNK.sum(1) + right) / (spoken_SNK.sum(1) + right + wrong)
        trust_SK = parameters_KS1[:, 1:].T.contiguous()
        return cls(opinions.names, parameters_KS1[:, 0], trust_SK, accuracy_SK, int(known_N.sum()))

    def state(self) -> State:
        tensors = {"bias_K": self.bias_K, "trust_SK": self.trust_SK, "accuracy_SK": self.accuracy_SK}
        return State(prefixed("label_model.", tensors), {"sources": list(self.names), "gold": self.gold})

    @classmethod
    def from_state(cls, state: State) -> "LabelModel":
        """Make the model again from the tagger's ``state()``."""
        return cls(tuple(state.facts["sources"]), **state.under("label_model."), gold=state.facts["gold"])

    def accuracies(self, labels: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return source → label → the source's accuracy on gold that it has an opinion on, as a posterior mean."""
        rows = zip(self.names, self.accuracy_SK.tolist(), strict=True)
        return {name: dict(zip(labels, row_K, strict=True)) for name, row_K in rows}

    def log_odds(self, opinions: Opinions) -> Tensor:
        """Return the (N, K) combined log-odds. Raises ValueError for opinions of other sources than the fitted ones."""
        if opinions.names != self.names:
            raise ValueError("the label model was fitted to other sources; fit it again")
        return self.bias_K + (self.trust_SK[:, None] * opinions.log_odds_SNK).sum(0)

    def weak_labels(self, opinions: Opinions, correction_NK: Tensor | None = None) -> WeakLabels:
        """Return the weak labels of the items.

        ``correction_NK`` is added to the log-odds and appears in the weak labels as one more source. The confidence is
        1 - H(p), with the entropy H in bits (Iscen et al., 2019).
        """
        shares_SNK, names = self.trust_SK[:, None] * opinions.log_odds_SNK, self.names
        if correction_NK is not None:
            shares_SNK, names = torch.cat([shares_SNK, correction_NK[None]]), (*names, REGRESSION)
        probability_NK = torch.sigmoid(self.bias_K + shares_SNK.sum(0))
        # At 0 and 1 the logarithm is infinite.
        p = probability_NK.clamp(1e-6, 1 - 1e-6)
        entropy_NK = -(p * p.log2() + (1 - p) * (1 - p).log2())
        return WeakLabels(probability_NK, 1 - entropy_NK, names, shares_SNK)


def _posterior_mode(opinions: Opinions, gold_NK: Tensor, weight_N: Tensor, k: int) -> Tensor:
    """Return the (1 + S,) bias and weights of class k, found by Newton's method on a strictly convex objective."""
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
        # A full step can overshoot where the sigmoid is flat, so that its length is limited to 2.
        mode = mode - step * min(1.0, 2.0 / float(step.norm().clamp(min=1e-12)))
        if float(step.abs().max()) < 1e-8:
            break
    return mode

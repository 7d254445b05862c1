"""Sources that others wrote (labelling functions) as sources of opinions, like our own.

    opinion_k = logit p_k,     p_k = the source's probability of label k, within [.02, .98]; 0 where it abstains

Their opinions were computed before and travel with the items (`model.features.said`). So they depend on nothing that a
training learns, and need no form that leaves an item's own gold out.

Shape suffixes: F sources of others, N items, K classes.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from model.features.item import ItemFeatures

FOREIGN_TRUST = 0.3
"""Prior trust in a source of others: small, since nobody has measured it before there is gold."""
LEAST = 0.02
"""Probabilities are clamped to [LEAST, 1 - LEAST]: a source that says 0 or 1 is only as sure as one wrong answer in 50
allows."""


def heard_in(items: Iterable[ItemFeatures]) -> tuple[str, ...]:
    """Return the names of the sources that say something of any of these items, in alphabetical order."""
    return tuple(sorted({name for item in items for name, said in item.said.probabilities.items() if said}))


def opinions_said(items: Sequence[ItemFeatures], names: Sequence[str], labels: Sequence[str]) -> Tensor:
    """Return the (F, N, K) float64 log-odds of these sources; 0 where a source says nothing of an item or a label.

    What other sources say, and what is said of other labels, is left out.
    """
    probability_FNK = torch.full((len(names), len(items), len(labels)), 0.5, dtype=torch.float64)
    place_of = {label: k for k, label in enumerate(labels)}
    for n, item in enumerate(items):
        for f, name in enumerate(names):
            for label, probability in item.said.probabilities.get(name, {}).items():
                if label in place_of:
                    probability_FNK[f, n, place_of[label]] = probability
    return probability_FNK.clamp(LEAST, 1 - LEAST).logit()

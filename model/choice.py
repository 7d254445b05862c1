"""Active choice: the order in which items without gold are best labelled.

Items are drawn by k-means++ in the space of their gradients (BADGE; Ash et al., ICLR 2020): each next one with a
probability that grows with the squared distance to the nearest item already drawn. An item's gradient is that of a
logistic layer on its vector, if the answer that the model gives were the truth: the errors |p - answer| of its labels
times the vector. So an item of which the model is sure is close to zero and is drawn late, and so is one that is
similar to an item already drawn. Of each product one view is drawn before any product's second; a product of which a
view has gold already had its first.

Shape suffixes: N items, K labels, D width of the vectors.
"""

from collections.abc import Collection, Sequence

import numpy as np
from torch import Tensor


def order_of(
    probability_NK: Tensor,
    vectors_ND: Tensor,
    families: Sequence[str],
    *,
    labelled: Collection[str] = (),
    count: int | None = None,
    seed: int = 7,
) -> list[int]:
    """Return the rows of the items to label first, in order: ``count`` of them, or all.

    ``vectors_ND`` are of unit length or shorter (`model.weak_supervision.propagation.Embedding`), ``families`` the
    product of each item, ``labelled`` the products of which a view has gold. The same arguments give the same order.
    """
    likely_NK, vector_ND = probability_NK.double().numpy(), vectors_ND.double().numpy()
    error_NK = np.abs(likely_NK - likely_NK.round())
    # Norms and inner products of gradients factor, so that the (N, K · D) gradients are never made.
    square_N = np.square(error_NK).sum(1) * np.square(vector_ND).sum(1)
    # Before the first draw the only centre is zero.
    distance_N = square_N.copy()
    name_N = np.array(families, dtype=object).astype(str)
    product_N = np.unique(name_N, return_inverse=True)[1]
    left_N = np.ones(len(families), dtype=bool)
    # Whether an item's product may still give a view in this turn of all products.
    open_N = ~np.isin(name_N, sorted(labelled))
    random = np.random.default_rng(seed)
    order: list[int] = []
    for _ in range(len(families) if count is None else min(count, len(families))):
        if not (left_N & open_N).any():
            open_N = left_N.copy()
        weight_N = distance_N * (left_N & open_N)
        if order and weight_N.sum() > 0:
            row = int(random.choice(len(weight_N), p=weight_N / weight_N.sum()))
        else:
            # The first is the one with the largest gradient; of items without any gradient the first one is taken.
            row = int(np.where(left_N & open_N, weight_N, -1.0).argmax())
        order.append(row)
        left_N[row] = False
        open_N[product_N == product_N[row]] = False
        shared_N = (error_NK @ error_NK[row]) * (vector_ND @ vector_ND[row])
        distance_N = np.minimum(distance_N, (square_N + square_N[row] - 2 * shared_N).clip(min=0))
    return order

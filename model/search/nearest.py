"""The rows with the largest inner products, exactly.

All vectors are read once, in half precision: the library's product of a half-precision matrix and a vector sums in
single precision and rounds the sums to halves. That moves each score by at most a known bound, so no row among the
best can lie further than twice the bound below the best rows by rounded scores. These few are multiplied again in
double precision, which gives the order.

Shape suffixes: N rows, D width, Q rows that are multiplied again.
"""

import torch
from torch import Tensor

HALF = 2.0**-11
"""Relative error of rounding to half precision."""
SUM = 2.0**-14
"""Error of a sum of up to 1,024 products in single precision, relative to the product of the vectors' lengths:
1,024 × 2⁻²⁴, whatever the order."""
LONGEST = 1.01
"""The length of the longest vector; those of `model.search.projection` have at most 1, before rounding."""
FEW = 8
"""Below one row in so many, the allowed rows are picked out first, which is then quicker than to multiply all."""


def nearest(
    vectors_ND: Tensor, query_D: Tensor, count: int, allowed_N: Tensor | None = None
) -> tuple[list[int], list[float]]:
    """Return up to ``count`` row numbers and inner products, the largest first, of equal ones the lower row first.

    ``vectors_ND`` are float16 and at most `LONGEST` long. ``query_D`` is rounded to half precision first. Only rows
    that are true in ``allowed_N`` are found. A query of zeros finds nothing: it is equally near to everything.
    """
    query_D = query_D.half()
    if count < 1 or not len(vectors_ND) or not bool(query_D.any()):
        return [], []
    if allowed_N is not None:
        rows = allowed_N.nonzero()[:, 0]
        if not len(rows):
            return [], []
        if len(rows) * FEW < len(vectors_ND):
            found, scores = nearest(vectors_ND[rows], query_D, count)
            return rows[found].tolist(), scores
    rough_N = torch.mv(vectors_ND, query_D).float()
    if allowed_N is not None:
        rough_N.masked_fill_(~allowed_N, -torch.inf)
    least = rough_N.topk(min(count, len(rough_N))).values[-1]
    if least == -torch.inf:
        least = rough_N[rough_N > -torch.inf].min()
    length = float(query_D.float().norm()) * LONGEST
    bound = HALF * length + SUM * length
    rows_Q = ((rough_N >= least - 2 * bound) & (rough_N > -torch.inf)).nonzero()[:, 0]
    exact_Q = vectors_ND[rows_Q].double() @ query_D.double()
    # A stable sort keeps the lower row first.
    order = exact_Q.argsort(descending=True, stable=True)[:count]
    return rows_Q[order].tolist(), exact_Q[order].tolist()

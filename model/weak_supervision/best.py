"""The gold items with the largest inner products, exactly, of many items at once.

Gold is compared in parts. Of each part, only what reaches the least of the best found so far is looked at again, so
that most of the time is that of the matrix products.

Where there is much gold, and the processor multiplies bfloat16 in hardware, the products are first computed in it,
which is several times as fast. Rounding moves an inner product by at most

    |a·b - a'·b'| ≤ ‖a - a'‖ ‖b‖ + ‖a'‖ ‖b - b'‖            (Cauchy and Schwarz; a', b' are the rounded vectors)

More gold than needed is kept by these rough products and multiplied again in single precision. An item's best are
proven if the least of them exceeds the least rough product that was kept by more than the bound. The few items without
proof are compared again in single precision.

Shape suffixes: N items, G gold items, M best of an item, R roughly best of an item, D width, P pairs of an item and a
gold item that are looked at again, C columns of such pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import pad

ITEMS = 4096
"""Items that are compared at a time, which bounds the memory."""
GOLD = 4096
"""Gold items that are compared at a time."""
MUCH = 16_384
"""From so much gold on, rough products save more time than the second look costs."""
ROUGHLY = 2
"""Times as many gold items are kept by rough products as are wanted."""
AGAIN = 256
"""Items whose gold is multiplied again at a time."""
SUM = 2.0**-23
"""Error of each addition in single precision, relative to the vectors' lengths; twice the exact bound."""
ROUNDING = 2.0**-8
"""Relative error of rounding to bfloat16."""


@dataclass(frozen=True)
class GoldVectors:
    """The vectors of gold items, by which they are compared, and exact ones.

    ``rows_G`` are the gold's rows among all items, in order. ``exact_GD`` is float32; ``compared_GD`` is the same
    tensor, or bfloat16. ``longest`` is the length of the longest vector, ``farthest`` the largest distance of a rounded
    one from its exact one.
    """

    rows_G: Tensor
    exact_GD: Tensor
    compared_GD: Tensor
    longest: float = 0.0
    farthest: float = 0.0

    @classmethod
    def of(cls, rows: Sequence[int], vectors_ND: Tensor) -> "GoldVectors":
        """Take the vectors of these rows."""
        rows_G = torch.tensor(sorted(rows), dtype=torch.int64)
        exact_GD = vectors_ND[rows_G].float()
        if len(rows_G) < MUCH or not multiplies_bfloat16():
            return cls(rows_G, exact_GD, exact_GD)
        rough_GD = exact_GD.bfloat16()
        off_G = vector_norm(exact_GD - rough_GD.float(), dim=1)
        return cls(rows_G, exact_GD, rough_GD, float(vector_norm(exact_GD, dim=1).amax()), float(off_G.amax()))

    @property
    def is_rough(self) -> bool:
        """Whether the gold is compared by rounded vectors."""
        return self.compared_GD is not self.exact_GD


@dataclass(frozen=True)
class Best:
    """The best of each item: rows (N, M), the most similar first, and similarities (N, M) in float32.

    A place without a neighbour holds -1 and -∞.
    """

    rows_NM: Tensor
    similarity_NM: Tensor

    def __getitem__(self, at: slice | Tensor) -> "Best":
        return Best(self.rows_NM[at], self.similarity_NM[at])

    @property
    def least_N(self) -> Tensor:  # noqa: N802  (shape suffix)
        """The least similarity that is kept of each item."""
        return self.similarity_NM[:, -1]

    @classmethod
    def none(cls, items: int, most: int) -> "Best":
        """Return the best of items that were compared with nothing."""
        return cls(torch.full((items, most), -1, dtype=torch.int64), torch.full((items, most), -torch.inf))

    def copy(self) -> "Best":
        """Return the same in tensors of its own."""
        return Best(self.rows_NM.clone(), self.similarity_NM.clone())

    def take(self, rows_NC: Tensor, similarity_NC: Tensor) -> None:
        """Become the best of these and others; where a similarity is -∞, there is no other."""
        # Most items of a project get no new neighbour from a little new gold.
        changed = (similarity_NC.amax(1) > self.least_N).nonzero()[:, 0]
        others_NC = rows_NC.masked_fill(similarity_NC == -torch.inf, -1)[changed]
        both_NJ = torch.cat([self.similarity_NM[changed], similarity_NC[changed]], 1)
        best_NM, at_NM = both_NJ.topk(self.rows_NM.shape[1], dim=1)
        self.rows_NM[changed] = torch.cat([self.rows_NM[changed], others_NC], 1).gather(1, at_NM)
        self.similarity_NM[changed] = best_NM


def multiplies_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX)."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def best_among(gold: GoldVectors, rows_N: Tensor, vectors_ND: Tensor, known: Best) -> Best:
    """Return the best of what is ``known`` and of the gold, for the items in ``rows_N`` of ``vectors_ND``.

    ``rows_N`` are in ascending order. Vectors may be in half precision; then they are compared as they are. No item is
    its own neighbour. The known ones must not be among the gold.
    """
    found = known.copy()
    for start in range(0, len(rows_N), ITEMS):
        at = slice(start, start + ITEMS)
        first, last = int(rows_N[at][0]), int(rows_N[at][-1])
        # A copy of rows that follow each other would take as long as half of a product with a little gold.
        follow = last - first + 1 == len(rows_N[at])
        items_ND = vectors_ND[first : last + 1] if follow else vectors_ND[rows_N[at]]
        _improve(found[at], gold, rows_N[at], items_ND)
    return found


def _improve(found: Best, gold: GoldVectors, rows_N: Tensor, items_ND: Tensor) -> None:
    """Let what is ``found`` of some items become the best of it and of the gold."""
    if not gold.is_rough:
        _compare(found, gold, gold.rows_G, rows_N, items_ND.float(), found.least_N)
        return
    known = found.copy()
    rough_ND = items_ND.bfloat16()
    length_N = vector_norm(rough_ND, dim=1, dtype=torch.float32)
    bound_N = length_N * (gold.farthest + SUM * items_ND.shape[1] * gold.longest)
    bound_N += vector_norm(items_ND.float() - rough_ND.float(), dim=1) * gold.longest
    roughly, places_G = Best.none(len(rows_N), ROUGHLY * known.rows_NM.shape[1]), torch.arange(len(gold.rows_G))
    _compare(roughly, gold, places_G, rows_N, rough_ND, known.least_N - bound_N)
    count_N = (roughly.rows_NM >= 0).sum(1)
    exact_NR = torch.full_like(roughly.similarity_NM, -torch.inf)
    # Items with as many pairs are multiplied together, so that none waits for another.
    for rows in torch.split(count_N.argsort()[int((count_N == 0).sum()) :], AGAIN):
        places_NC = roughly.rows_NM[rows, : int(count_N[rows[-1]])]
        exact_NC = torch.linalg.vecdot(gold.exact_GD[places_NC], items_ND[rows].float()[:, None])
        exact_NR[rows, : places_NC.shape[1]] = exact_NC
    found.take(gold.rows_G[roughly.rows_NM], exact_NR.masked_fill_(roughly.rows_NM < 0, -torch.inf))
    # Whatever was not kept has at most this inner product.
    most_N = roughly.least_N + ROUNDING * roughly.least_N.abs() + bound_N
    unproven = (found.least_N < most_N).nonzero()[:, 0]
    if len(unproven):
        certain = known[unproven]
        _improve(certain, replace(gold, compared_GD=gold.exact_GD), rows_N[unproven], items_ND[unproven])
        found.rows_NM[unproven], found.similarity_NM[unproven] = certain.rows_NM, certain.similarity_NM


def _compare(
    found: Best, gold: GoldVectors, names_G: Tensor, rows_N: Tensor, items_ND: Tensor, least_N: Tensor
) -> None:
    """Let what is ``found`` become the best of it and of the gold, by the vectors that are compared.

    A gold item is told by its name. None below ``least_N`` is needed.
    """
    # The place of each item among the gold, or -1: no item is its own neighbour.
    place_N1 = torch.searchsorted(gold.rows_G, rows_N).clamp(max=len(gold.rows_G) - 1)[:, None]
    own_N1 = torch.where(gold.rows_G[place_N1] == rows_N[:, None], place_N1, -1)
    for start in range(0, len(gold.rows_G), GOLD):
        compared_CD = gold.compared_GD[start : start + GOLD]
        product_NC = items_ND @ compared_CD.T
        bound_N1 = torch.maximum(least_N, found.least_N)[:, None]
        if bool((bound_N1 > -torch.inf).all()):
            # Rounding keeps the order, so a rounded bound is right for rounded products.
            place_NC, product_NC = _picked(product_NC, bound_N1.to(product_NC.dtype), start)
            product_NC.masked_fill_(place_NC == own_N1, -torch.inf)
        else:
            items = ((own_N1 >= start) & (own_N1 < start + len(compared_CD))).nonzero()[:, 0]
            product_NC[items, own_N1[items, 0] - start] = -torch.inf
            product_NC, place_NC = product_NC.float().topk(min(found.rows_NM.shape[1], len(compared_CD)), dim=1)
            place_NC += start
        found.take(names_G[place_NC], product_NC)


def _picked(product_NG: Tensor, bound_N1: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """Return places and products that reach the bound, in as few columns as they need; the rest of them hold -∞."""
    reached_NG = product_NG >= bound_N1
    # Most are not reached. Eight are looked at together, which is quicker.
    padded_NG = pad(reached_NG, (0, -reached_NG.shape[1] % 8)).contiguous()
    items, columns = padded_NG.shape
    eight_P = padded_NG.view(torch.int64).flatten().nonzero()[:, 0]
    within_P, at_P = padded_NG.view(-1, 8)[eight_P].nonzero(as_tuple=True)
    flat_P = eight_P[within_P] * 8 + at_P
    item_P, column_P = flat_P // columns, flat_P % columns
    count_N = item_P.bincount(minlength=items)
    shape = items, max(1, int(count_N.amax()))
    at_P = torch.arange(len(item_P)) - (count_N.cumsum(0) - count_N)[item_P]
    place_NC, product_NC = torch.zeros(shape, dtype=torch.int64), torch.full(shape, -torch.inf)
    place_NC[item_P, at_P] = column_P + start
    product_NC[item_P, at_P] = product_NG[item_P, column_P].float()
    return place_NC, product_NC

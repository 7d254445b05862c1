"""Choose items that are relevant and unlike each other.

Maximal marginal relevance (Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents
and producing summaries", SIGIR 1998): one after the other, the item with the largest

    λ · relevance − (1 − λ) · largest similarity to an item that is chosen already.

Shape suffixes: N candidates, S seen items, D width.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

RELEVANCE = 0.8
"""λ, the share of relevance; chosen on made-up sessions (docs/results.md)."""
LATEST = 100
"""The last seen items that count; a person's interest changes."""
BOUGHT = 3.0
"""How many looks a purchase counts for."""


def interest(vectors_SD: Tensor, bought_S: Tensor) -> Tensor:
    """Return what somebody is interested in, as a (D,) float32 vector of unit length: the weighted mean of the items.

    The items are in the order in which they were seen; the last `LATEST` of them count, later ones more.
    """
    vectors_SD, bought_S = normalize(vectors_SD[-LATEST:].float(), dim=1), bought_S[-LATEST:]
    age_S = torch.arange(len(vectors_SD) - 1, -1, -1).float()
    weight_S = (1.0 + (BOUGHT - 1) * bought_S.float()) * 0.5 ** (age_S / 10)
    return normalize(weight_S @ vectors_SD, dim=0)


def relevance(candidates_ND: Tensor, vectors_SD: Tensor, bought_S: Tensor) -> Tensor:
    """Return (N,) how relevant candidates are: half by the whole interest, half by the most similar seen item."""
    candidates_ND = normalize(candidates_ND.float(), dim=1)
    whole_N = candidates_ND @ interest(vectors_SD, bought_S)
    nearest_N = (candidates_ND @ normalize(vectors_SD[-LATEST:].float(), dim=1).T).max(1).values
    return (whole_N + nearest_N) / 2


def varied(candidates_ND: Tensor, relevance_N: Tensor, count: int, share: float = RELEVANCE) -> list[int]:
    """Return up to ``count`` places of candidates by maximal marginal relevance; ``share`` is λ."""
    candidates_ND = normalize(candidates_ND.float(), dim=1)
    score_N = share * relevance_N.clone()
    nearest_N = torch.zeros(len(candidates_ND))
    chosen: list[int] = []
    for _ in range(min(count, len(candidates_ND))):
        marginal_N = score_N - (1 - share) * nearest_N
        marginal_N[chosen] = -torch.inf
        best = int(marginal_N.argmax())
        chosen.append(best)
        nearest_N = torch.maximum(nearest_N, candidates_ND @ candidates_ND[best])
    return chosen

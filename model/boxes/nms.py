"""Overlaps of boxes and non-maximum suppression in plain torch (torchvision's needs compiled operators).

Boxes are rows of (left, top, right, bottom) in fractions of the picture. Shape suffixes: N, M boxes; 4 edges.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from model.items import Box


def to_tensor(boxes: Sequence[Box]) -> Tensor:
    """Edges of boxes as float32 (N, 4)."""
    rows = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def to_box(edges_4: Tensor) -> Box:
    """One row of edges as a box inside the picture, with its edges in order."""
    left, top, right, bottom = edges_4.clamp(0, 1).tolist()
    return Box(left, top, max(left, right), max(top, bottom))


def areas(boxes_N4: Tensor) -> Tensor:
    """Area of each box (N,), 0 for an inverted one."""
    sides_N2 = (boxes_N4[:, 2:] - boxes_N4[:, :2]).clamp(min=0)
    return sides_N2.prod(1)


def intersections(boxes_N4: Tensor, others_M4: Tensor) -> Tensor:
    """Shared area of every pair (N, M)."""
    upper_NM2 = torch.minimum(boxes_N4[:, None, 2:], others_M4[None, :, 2:])
    lower_NM2 = torch.maximum(boxes_N4[:, None, :2], others_M4[None, :, :2])
    return (upper_NM2 - lower_NM2).clamp(min=0).prod(2)


def ious(boxes_N4: Tensor, others_M4: Tensor) -> Tensor:
    """Intersection over union of every pair (N, M), 0 where neither has an area."""
    shared_NM = intersections(boxes_N4, others_M4)
    union_NM = areas(boxes_N4)[:, None] + areas(others_M4)[None, :] - shared_NM
    return shared_NM / union_NM.clamp(min=1e-9)


def suppress(boxes_N4: Tensor, scores_N: Tensor, threshold: float) -> list[int]:
    """Indices that survive greedy non-maximum suppression, best first.

    A box goes when its intersection over union with a better one is over ``threshold``. Ties keep their order.
    """
    order = scores_N.argsort(descending=True, stable=True)
    clash_NN = (ious(boxes_N4[order], boxes_N4[order]) > threshold).numpy()
    kept: list[int] = []
    for row in range(len(order)):
        if not clash_NN[row, kept].any():
            kept.append(row)
    return [int(order[row]) for row in kept]

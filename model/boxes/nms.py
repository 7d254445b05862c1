"""Overlaps of boxes and non-maximum suppression in plain torch (torchvision's version needs compiled operators).

Boxes are rows of (left, top, right, bottom) in fractions of the picture. Shape suffixes: N, M boxes; 4 edges.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.items import Box

Links = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating]


def to_tensor(boxes: Sequence[Box]) -> Tensor:
    """Return the edges of boxes as float32 (N, 4)."""
    rows = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def to_box(edges_4: Scores) -> Box:
    """Return one row of edges as a box inside the picture, with right and bottom no less than left and top."""
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in edges_4.tolist())
    return Box(left, top, max(left, right), max(top, bottom))


def areas(boxes_N4: Tensor) -> Tensor:
    """Return the area of each box (N,); 0 where right is less than left or bottom less than top."""
    sides_N2 = (boxes_N4[:, 2:] - boxes_N4[:, :2]).clamp(min=0)
    return sides_N2.prod(1)


def intersections(boxes_N4: Tensor, others_M4: Tensor) -> Tensor:
    """Return the shared area of every pair (N, M)."""
    upper_NM2 = torch.minimum(boxes_N4[:, None, 2:], others_M4[None, :, 2:])
    lower_NM2 = torch.maximum(boxes_N4[:, None, :2], others_M4[None, :, :2])
    return (upper_NM2 - lower_NM2).clamp(min=0).prod(2)


def ious(boxes_N4: Tensor, others_M4: Tensor) -> Tensor:
    """Return the intersection over union of every pair (N, M); 0 where neither box has an area."""
    shared_NM = intersections(boxes_N4, others_M4)
    union_NM = areas(boxes_N4)[:, None] + areas(others_M4)[None, :] - shared_NM
    return shared_NM / union_NM.clamp(min=1e-9)


def suppress(clash_NN: Links, scores_N: Scores, faintest: float = 0.0) -> list[int]:
    """Return the rows that survive greedy non-maximum suppression, best score first.

    ``clash_NN`` is True for pairs of boxes of which only the better one survives, such as ``ious(boxes, boxes) > 0.5``.
    Rows with a score under ``faintest`` neither survive nor suppress others. Equal scores keep their order.
    """
    free_N = scores_N >= faintest
    order = np.argsort(-scores_N, kind="stable")
    kept: list[int] = []
    for row in order[free_N[order]].tolist():
        if free_N[row]:
            kept.append(row)
            free_N &= ~clash_NN[row]
    return kept

"""Encoder features of candidates: the picture's grid features, projected on few directions, averaged over each box.

Shape suffixes: R grid cells, C image width, P directions, N candidates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor
from torch.nn import functional

from model.boxes.describe import box_sums
from model.boxes.forest import Floats
from model.features.item import ItemFeatures

# Number of directions P.
DIRECTIONS = 12
# The most cells on which the directions are found.
MOST_CELLS = 20_000


@dataclass(frozen=True, eq=False)
class Pooling:
    """A projection of normalised grid features on their main directions, each scaled to unit variance.

    Example::

        pooling = Pooling.fit(features, seed=7)
        pooled_NP = pooling.pooled(item, boxes_N4) if pooling else None
    """

    basis_CP: Tensor

    @classmethod
    def fit(cls, features: Sequence[ItemFeatures], *, seed: int) -> "Pooling | None":
        """Return the main directions of the grids of these items; None when no item has a grid."""
        grids = [item.grid_RC for item in features if len(item.grid_RC)]
        if not grids:
            return None
        starts = np.cumsum([0, *(len(grid_RC) for grid_RC in grids)])
        chosen = np.arange(starts[-1])
        if len(chosen) > MOST_CELLS:
            chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), MOST_CELLS, replace=False))
        parts = np.split(chosen, np.searchsorted(chosen, starts[1:-1]))
        # Only the chosen cells become float32: all cells would fill gigabytes.
        found = [_normal(grid_RC[part - start]) for grid_RC, part, start in zip(grids, parts, starts[:-1], strict=True)]
        cells_RC: Floats = torch.cat(found).numpy()
        count = min(DIRECTIONS, *cells_RC.shape)
        _, scale_P, basis_PC = randomized_svd(cells_RC - cells_RC.mean(0), count, random_state=seed)
        spread_P = np.maximum(scale_P / np.sqrt(len(cells_RC)), 1e-6)
        return cls(torch.from_numpy((basis_PC / spread_P[:, None]).T.astype(np.float32).copy()))

    def pooled(self, item: ItemFeatures, boxes_N4: Tensor) -> Floats:
        """Return the means (N, P) over the cells that each box touches; 0 for an item without a grid."""
        if not len(item.grid_RC):
            return np.zeros((len(boxes_N4), self.basis_CP.shape[1]), dtype=np.float32)
        plane = (_normal(item.grid_RC) @ self.basis_CP).reshape(*item.grid_shape, -1).numpy()
        sums, cells = box_sums(plane, boxes_N4.numpy())
        means: Floats = (sums / cells[:, None]).astype(np.float32)
        return means

    def state(self) -> dict[str, Tensor]:
        """Return all that was learned, as tensors."""
        return {"pooling": self.basis_CP}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Pooling | None":
        """Make the pooling again from a state that holds its ``state()``. Return None if there was no pooling."""
        return cls(state["pooling"]) if "pooling" in state else None


def _normal(grid_RC: Tensor) -> Tensor:
    """Return the cells as float32 unit vectors."""
    return functional.normalize(grid_RC.float(), dim=1)

"""What the encoder sees within each candidate: grid features averaged over the box, on their main directions.

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

DIRECTIONS = 12
MOST_CELLS = 20_000


@dataclass(frozen=True, eq=False)
class Pooling:
    """Projection of normalised grid features."""

    basis_CP: Tensor

    @classmethod
    def fit(cls, features: Sequence[ItemFeatures], *, seed: int) -> "Pooling | None":
        """Main directions of the grids of these items; None when none of them has a grid."""
        grids = [item.grid_RC for item in features if len(item.grid_RC)]
        if not grids:
            return None
        cells_RC = _some_cells(grids, seed)
        count = min(DIRECTIONS, *cells_RC.shape)
        _, scale_P, basis_PC = randomized_svd(cells_RC - cells_RC.mean(0), count, random_state=seed)
        spread_P = np.maximum(scale_P / np.sqrt(len(cells_RC)), 1e-6)
        return cls(torch.from_numpy((basis_PC / spread_P[:, None]).T.astype(np.float32).copy()))

    def pooled(self, item: ItemFeatures, boxes_N4: Tensor) -> Floats:
        """(N, P) means over the cells that each box touches; 0 for an item without grid."""
        if not len(item.grid_RC):
            return np.zeros((len(boxes_N4), self.basis_CP.shape[1]), dtype=np.float32)
        plane = (_normal(item.grid_RC) @ self.basis_CP).reshape(*item.grid_shape, -1).numpy()
        sums, cells = box_sums(plane, boxes_N4.numpy())
        means: Floats = (sums / cells[:, None]).astype(np.float32)
        return means

    def state(self) -> dict[str, Tensor]:
        """All that was learned."""
        return {"pooling": self.basis_CP}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Pooling | None":
        """The pooling whose ``state()`` this is, None where there was none."""
        return cls(state["pooling"]) if "pooling" in state else None


def _some_cells(grids: Sequence[Tensor], seed: int) -> Floats:
    """(R, C) at most so many cells, in order. Chosen before they are unfolded: all of them fill gigabytes."""
    starts = np.cumsum([0, *(len(grid_RC) for grid_RC in grids)])
    chosen = np.arange(starts[-1])
    if len(chosen) > MOST_CELLS:
        chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), MOST_CELLS, replace=False))
    parts = np.split(chosen, np.searchsorted(chosen, starts[1:-1]))
    found = [_normal(grid_RC[part - start]) for grid_RC, part, start in zip(grids, parts, starts[:-1], strict=True)]
    cells_RC: Floats = torch.cat(found).numpy()
    return cells_RC


def _normal(grid_RC: Tensor) -> Tensor:
    return functional.normalize(grid_RC.float(), dim=1)

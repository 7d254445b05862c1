"""Extremely randomised trees (Geurts et al., 2006) kept as plain tensors: grown by scikit-learn, stored without pickle.

Shape suffixes: N rows, D inputs, K outputs, M nodes of all trees, T trees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import ExtraTreesRegressor
from torch import Tensor

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees side by side. A leaf's ``lower_M`` is itself, so that walking on stays there."""

    feature_M: Integers
    threshold_M: Floats
    lower_M: Integers
    upper_M: Integers
    value_MK: Floats
    root_T: Integers

    @classmethod
    def grow(cls, inputs_ND: Floats, targets_NK: Floats, *, trees: int, seed: int) -> "Forest":
        """Fit regression trees; the same inputs and seed give the same forest."""
        grower = ExtraTreesRegressor(
            n_estimators=trees, min_samples_leaf=2, max_features=0.3, max_leaf_nodes=512, random_state=seed
        )
        grower.fit(inputs_ND, targets_NK if targets_NK.shape[1] > 1 else targets_NK[:, 0])
        return cls.joined([cls._of_tree(estimator.tree_) for estimator in grower.estimators_])

    @classmethod
    def joined(cls, forests: Sequence["Forest"]) -> "Forest":
        """One forest of all their trees."""
        starts = np.cumsum([0] + [len(forest.feature_M) for forest in forests[:-1]]).astype(np.int32)
        pairs = list(zip(forests, starts, strict=True))
        return cls(
            np.concatenate([forest.feature_M for forest in forests]),
            np.concatenate([forest.threshold_M for forest in forests]),
            np.concatenate([forest.lower_M + start for forest, start in pairs]),
            np.concatenate([forest.upper_M + start for forest, start in pairs]),
            np.concatenate([forest.value_MK for forest in forests]),
            np.concatenate([forest.root_T + start for forest, start in pairs]),
        )

    @classmethod
    def _of_tree(cls, tree: Any) -> "Forest":
        lower = np.asarray(tree.children_left, dtype=np.int32)
        own = np.arange(len(lower), dtype=np.int32)
        leaf = lower < 0
        return cls(
            np.where(leaf, 0, tree.feature).astype(np.int32),
            np.where(leaf, np.inf, tree.threshold).astype(np.float32),
            np.where(leaf, own, lower).astype(np.int32),
            np.where(leaf, own, tree.children_right).astype(np.int32),
            np.asarray(tree.value, dtype=np.float32)[:, :, 0],
            np.zeros(1, dtype=np.int32),
        )

    def predict(self, inputs_ND: Floats) -> Floats:
        """(N, K) mean over the trees."""
        rows = np.arange(len(inputs_ND))[:, None]
        nodes = np.broadcast_to(self.root_T, (len(inputs_ND), len(self.root_T)))
        while True:
            below = inputs_ND[rows, self.feature_M[nodes]] <= self.threshold_M[nodes]
            following = np.where(below, self.lower_M[nodes], self.upper_M[nodes])
            if np.array_equal(following, nodes):
                means: Floats = self.value_MK[nodes].mean(axis=1)
                return means
            nodes = following

    def state(self) -> dict[str, Tensor]:
        """The trees as tensors."""
        return {name: torch.from_numpy(values) for name, values in vars(self).items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Forest":
        """The forest whose ``state()`` this is."""
        return cls(**{name: tensor.numpy() for name, tensor in state.items()})

"""Trees as plain tensors, stored without pickle.

They are extremely randomised (Geurts et al., 2006), trained by scikit-learn, or boosted (Friedman, 2001; Chen and
Guestrin, 2016), trained by XGBoost.

Shape suffixes: N rows, D inputs, K outputs, M nodes of all trees, T trees.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xgboost
from sklearn.ensemble import ExtraTreesRegressor
from torch import Tensor

from model.boxes.masks import MOST_LEAVES, SmallTrees

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]

# Boosted trees of each output, and the values that they tell apart of each input.
ROUNDS, BINS = 150, 63

# The rows that walk through the trees at once: few enough for some megabytes of working memory.
CHUNK = 512
# Levels between two searches for entries that have reached a leaf; a search takes about as long as a level.
STEPS = 4


@dataclass(frozen=True, eq=False)
class Forest:
    """Regression trees, with the nodes of all trees one after another.

    Node m compares input ``feature_M[m]`` with ``threshold_M[m]``; ``lower_M`` is the next node where the input is not
    above the threshold, ``upper_M`` the next node where it is. A leaf's next nodes are the leaf itself. ``value_MK``
    are the outputs of each node, ``root_T`` the first node of each tree.

        forest = Forest.grow(inputs_ND, targets_NK, trees=96, seed=7)
        mean_NK = forest.predict(inputs_ND)
    """

    feature_M: Integers
    threshold_M: Floats
    lower_M: Integers
    upper_M: Integers
    value_MK: Floats
    root_T: Integers

    @classmethod
    def grow(cls, inputs_ND: Floats, targets_NK: Floats, *, trees: int, seed: int) -> "Forest":
        """Train regression trees; the same inputs and seed give the same forest."""
        grower = ExtraTreesRegressor(
            n_estimators=trees,
            min_samples_leaf=2,
            max_features=0.3,
            max_leaf_nodes=512,
            random_state=seed,
            # As many threads as the rest of the training uses.
            n_jobs=torch.get_num_threads(),
        )
        grower.fit(inputs_ND, targets_NK if targets_NK.shape[1] > 1 else targets_NK[:, 0])
        forests = []
        for tree in (estimator.tree_ for estimator in grower.estimators_):
            lower = np.asarray(tree.children_left, dtype=np.int32)
            own = np.arange(len(lower), dtype=np.int32)
            leaf = lower < 0
            forests.append(
                cls(
                    np.where(leaf, 0, tree.feature).astype(np.int32),
                    # No input is above the threshold of a leaf, so a walk stays there.
                    np.where(leaf, np.inf, tree.threshold).astype(np.float32),
                    np.where(leaf, own, lower).astype(np.int32),
                    np.where(leaf, own, tree.children_right).astype(np.int32),
                    np.asarray(tree.value, dtype=np.float32)[:, :, 0],
                    np.zeros(1, dtype=np.int32),
                )
            )
        return cls.joined(forests)

    @classmethod
    def boosted(cls, inputs_ND: Floats, targets_NK: Floats, *, seed: int) -> "Forest":
        """Train gradient-boosted trees for each output; the same inputs and seed give the same forest.

        The outputs of boosted trees are summed and those of a forest averaged, so the values of ``predict`` are the
        trees' values times their number. The first tree is a leaf with the outputs' means.
        """
        means_K, outputs = targets_NK.mean(0), targets_NK.shape[1]
        # Each thread has outputs of its own: the trees are so small that several threads would wait for each other.
        threads = min(torch.get_num_threads(), outputs)
        with ThreadPoolExecutor(threads) as pool:
            shares = [targets_NK[:, first::threads] for first in range(threads)]
            parts = list(pool.map(partial(_boosted, inputs_ND, seed=seed), shares))
        grown = [parts[k % threads][k // threads] for k in range(outputs)]
        count = 1 + sum(len(trees) for trees in grown)
        leaf = np.zeros(1, dtype=np.int32)
        ends = np.full(1, np.inf, dtype=np.float32)
        forests = [cls(leaf, ends, leaf, leaf, (means_K * count).astype(np.float32)[None], leaf)]
        for k, tree in ((k, tree) for k, trees in enumerate(grown) for tree in trees):
            lower, own = np.array(tree["left_children"]), np.arange(len(tree["left_children"]), dtype=np.int32)
            is_leaf, condition_M = lower < 0, np.array(tree["split_conditions"], dtype=np.float32)
            value_MK = np.zeros((len(own), outputs), dtype=np.float32)
            value_MK[:, k] = condition_M * is_leaf * count
            forests.append(
                cls(
                    np.where(is_leaf, 0, tree["split_indices"]).astype(np.int32),
                    # XGBoost goes on at the lower node below the threshold, a walk also at the threshold.
                    np.where(is_leaf, np.inf, np.nextafter(condition_M, np.float32(-np.inf))).astype(np.float32),
                    np.where(is_leaf, own, lower).astype(np.int32),
                    np.where(is_leaf, own, tree["right_children"]).astype(np.int32),
                    value_MK,
                    np.zeros(1, dtype=np.int32),
                )
            )
        return cls.joined(forests)

    @classmethod
    def joined(cls, forests: Sequence["Forest"]) -> "Forest":
        """Return one forest with the trees of all these forests, in order."""
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

    def predict(self, inputs_ND: Floats) -> Floats:
        """Return the outputs (N, K), each the mean over the trees. An unknown input (NaN) is above every threshold."""
        sums_NK = np.repeat(self._ways.constant_1K, len(inputs_ND), axis=0)
        self._ways.small.add_to(sums_NK, inputs_ND)
        self._ways.large.add_to(sums_NK, inputs_ND)
        return sums_NK / np.float32(len(self.root_T))

    @cached_property
    def _ways(self) -> "_Ways":
        return _Ways.through(self)

    def state(self) -> dict[str, Tensor]:
        """Return the trees as tensors."""
        return {field.name: torch.from_numpy(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Forest":
        """Make the forest again from its ``state()``."""
        return cls(**{name: tensor.numpy() for name, tensor in state.items()})


@dataclass(frozen=True, eq=False)
class _Ways:
    """The trees by the way in which they are answered; ``constant_1K`` is the sum of those without a comparison."""

    constant_1K: Floats
    small: SmallTrees
    large: "_LargeTrees"

    @classmethod
    def through(cls, forest: Forest) -> "_Ways":
        roots, nodes = forest.root_T.astype(np.intp), np.diff(np.append(forest.root_T, len(forest.feature_M)))
        # A tree has one more leaf than comparisons.
        is_large = nodes > 2 * MOST_LEAVES - 1
        constant_1K = forest.value_MK[roots[nodes == 1]].sum(axis=0, keepdims=True)
        small = SmallTrees.of(forest, roots[(nodes > 1) & ~is_large])
        return cls(constant_1K, small, _LargeTrees.of(forest, roots[is_large]))


@dataclass(frozen=True, eq=False)
class _LargeTrees:
    """The trees of a forest with these roots, through which rows walk."""

    feature_M: Integers
    threshold_M: Floats
    lower_M: Integers
    is_inner_M: npt.NDArray[np.bool_]
    value_MK: Floats
    root_T: Places

    @classmethod
    def of(cls, forest: Forest, root_T: Places) -> "_LargeTrees":
        is_inner_M = forest.lower_M != np.arange(len(forest.lower_M))
        if len(root_T) and (forest.upper_M != forest.lower_M + is_inner_M).any():
            raise ValueError("the two nodes below a node of a large tree must stand side by side")
        # Not the forest itself, which would hold itself in memory.
        nodes = forest.feature_M, forest.threshold_M, forest.lower_M, is_inner_M, forest.value_MK
        return cls(*nodes, root_T)

    def add_to(self, sums_NK: Floats, inputs_ND: Floats) -> None:
        """Add the values of the leaves in which the rows end.

        All rows of a chunk walk through all trees at once, one entry for each tree and row. Entries that have reached
        a leaf are taken out of the walk every few levels.
        """
        if not len(self.root_T):
            return
        for first in range(0, len(inputs_ND), CHUNK):
            rows = slice(first, first + CHUNK)
            count, width = inputs_ND[rows].shape
            # Infinity is above the threshold of each comparison, and not above that of a leaf.
            values = np.where(np.isnan(inputs_ND[rows]), np.float32(np.inf), inputs_ND[rows]).ravel()
            offsets = np.tile(np.arange(count, dtype=np.intp) * width, len(self.root_T))
            nodes: Places = np.repeat(self.root_T, count)
            leaves = np.empty_like(nodes)
            walking: Places = np.arange(len(nodes))
            while len(walking):
                for _ in range(STEPS):
                    is_above = values.take(offsets + self.feature_M.take(nodes)) > self.threshold_M.take(nodes)
                    # The node of inputs above the threshold stands behind the other one; a leaf stays itself.
                    nodes = np.add(self.lower_M.take(nodes), is_above, dtype=np.intp)
                leaves[walking] = nodes
                going = np.flatnonzero(self.is_inner_M.take(nodes))
                walking, nodes, offsets = walking.take(going), nodes.take(going), offsets.take(going)
            sums_NK[rows] += self.value_MK.take(leaves.reshape(-1, count), axis=0).sum(axis=0)


def _boosted(inputs_ND: Floats, targets_NK: Floats, *, seed: int) -> list[list[Mapping[str, Any]]]:
    """Return the boosted trees of each output beside its mean, as XGBoost's models describe them."""
    options = {
        "eta": 0.06, "grow_policy": "lossguide", "max_leaves": 12, "max_depth": 0, "min_child_weight": 8,
        "reg_lambda": 1.0, "colsample_bynode": 0.4, "max_bin": BINS, "nthread": 1, "seed": seed,
    }  # fmt: skip
    # Made once: sorting the inputs into bins takes nearly as long as the trees of one output.
    data = xgboost.QuantileDMatrix(inputs_ND, max_bin=BINS, nthread=1)
    grown: list[list[Mapping[str, Any]]] = []
    for target_N in targets_NK.T:
        data.set_label(target_N)
        trained = xgboost.train({**options, "base_score": float(target_N.mean())}, data, num_boost_round=ROUNDS)
        grown.append(json.loads(trained.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"])
    return grown

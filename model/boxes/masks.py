"""Small trees, all of which answer at once by bit masks (QuickScorer; Lucchese et al., SIGIR 2015).

Each bit of a number stands for a leaf of a tree, the leftmost leaf for the lowest bit. A comparison whose input is
above the threshold takes the leaves below it on the left away. Whatever the order, the leftmost leaf that is left is
the one in which a walk through the tree would end. So all comparisons are made, all masks joined, and nothing walked.

Shape suffixes: N rows, D inputs, K outputs, M nodes of all trees, T trees, C comparisons, J comparisons of one tree.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from model.boxes.forest import Floats, Forest

MOST_LEAVES = 16
"""The leaves of a small tree, one for each bit of a mask."""
CHUNK = 64
"""Rows that are compared at a time: few enough for the processor's cache."""

Masks = npt.NDArray[np.uint16]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SmallTrees:
    """Trees of up to 16 leaves. Each tree stands once for each output that it speaks for, in the order of the outputs.

    Equal comparisons of several trees are made once: C compares input ``feature_C`` with ``threshold_C1``.
    ``comparison_JT`` are the comparisons of each tree, and ``mask_JT1`` the leaves that each takes away (none, where a
    tree has fewer than J). ``value_TL`` are the leaves' values. The trees of output ``outputs[i]`` begin at
    ``starts[i]``.
    """

    feature_C: Places
    threshold_C1: "Floats"
    comparison_JT: Places
    mask_JT1: Masks
    value_TL: "Floats"
    outputs: Places
    starts: Places

    @classmethod
    def of(cls, forest: "Forest", root_T: Places) -> "SmallTrees":
        """Take the trees with these roots; each has at most `MOST_LEAVES` leaves."""
        lower_M, upper_M = forest.lower_M, forest.upper_M
        # Of each node: its tree, its leaves, and how many leaves of the tree stand on the left of them.
        tree_M = np.zeros(len(lower_M), dtype=np.intp)
        tree_M[root_T] = np.arange(len(root_T))
        size_M, left_M = np.ones_like(tree_M), np.zeros_like(tree_M)
        levels, ends = [], [root_T[:0]]
        level = root_T
        while len(level):
            is_leaf = lower_M[level] == level
            ends.append(level[is_leaf])
            levels.append(level[~is_leaf])
            level = np.concatenate([lower_M[levels[-1]], upper_M[levels[-1]]])
            tree_M[level] = np.tile(tree_M[levels[-1]], 2)
        for inner in reversed(levels):
            size_M[inner] = size_M[lower_M[inner]] + size_M[upper_M[inner]]
        for inner in levels:
            left_M[lower_M[inner]] = left_M[inner]
            left_M[upper_M[inner]] = left_M[inner] + size_M[lower_M[inner]]
        nodes, leaves = np.concatenate([root_T[:0], *levels]), np.concatenate(ends)
        nodes = nodes[np.argsort(tree_M[nodes], kind="stable")]
        # A comparison by its input and the bits of its threshold.
        kinds = forest.feature_M[nodes].astype(np.int64) << 32 | forest.threshold_M[nodes].view(np.uint32)
        _, made, comparison = np.unique(kinds, return_index=True, return_inverse=True)
        count_T = np.bincount(tree_M[nodes], minlength=len(root_T))
        place = np.arange(len(nodes)) - (np.cumsum(count_T) - count_T)[tree_M[nodes]]
        comparison_JT = np.zeros((count_T.max(initial=0), len(root_T)), dtype=np.intp)
        comparison_JT[place, tree_M[nodes]] = comparison
        mask_JT = np.zeros(comparison_JT.shape, dtype=np.uint16)
        taken = (1 << left_M[nodes] + size_M[lower_M[nodes]]) - (1 << left_M[nodes])
        mask_JT[place, tree_M[nodes]] = taken
        # Each tree with each output that one of its leaves speaks for, ordered by the outputs.
        leaf, output = np.nonzero(forest.value_MK[leaves])
        leaf = leaves[leaf]
        pairs, pair = np.unique(output * len(root_T) + tree_M[leaf], return_inverse=True)
        value_TL = np.zeros((len(pairs), MOST_LEAVES), dtype=np.float32)
        value_TL[pair, left_M[leaf]] = forest.value_MK[leaf, output]
        output_T, own_T = np.divmod(pairs, max(len(root_T), 1))
        outputs, starts = np.unique(output_T, return_index=True)
        return cls(
            forest.feature_M[nodes][made].astype(np.intp),
            forest.threshold_M[nodes][made][:, None],
            comparison_JT[:, own_T],
            mask_JT[:, own_T, None],
            value_TL,
            outputs,
            starts,
        )

    def add_to(self, sums_NK: "Floats", inputs_ND: "Floats") -> None:
        """Add the values of the leaves in which the rows end. An unknown input (NaN) is above every threshold."""
        if not len(self.outputs):
            return
        first_T1 = (np.arange(len(self.value_TL)) * MOST_LEAVES)[:, None]
        for start in range(0, len(inputs_ND), CHUNK):
            rows = slice(start, start + CHUNK)
            inputs_DN = np.ascontiguousarray(inputs_ND[rows].T)
            # All bits of a comparison are set where the input is above the threshold.
            is_below_CN = inputs_DN.take(self.feature_C, axis=0) <= self.threshold_C1
            above_CN: Masks = np.subtract(is_below_CN, 1, dtype=np.uint16)
            gone_JTN = above_CN.take(self.comparison_JT, axis=0)
            gone_JTN &= self.mask_JT1
            gone_TN = np.bitwise_or.reduce(gone_JTN, axis=0)
            # As many leaves as there are ones at the low end are gone before the first that is left.
            leaf_TN = np.bitwise_count(gone_TN & ~(gone_TN + np.uint16(1)))
            said_TN = self.value_TL.take(first_T1 + leaf_TN)
            sums_NK[rows, self.outputs] += np.add.reduceat(said_TN, self.starts, axis=0).T

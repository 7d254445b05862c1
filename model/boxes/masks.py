"""Small trees, all of which answer at once by bit masks (QuickScorer; Lucchese et al., SIGIR 2015).

Each bit of a number stands for a leaf of a tree, the leftmost leaf for the lowest bit. A comparison whose input is
above the threshold takes the leaves below it on the left away. Whatever the order, the leftmost leaf that is left is
the one in which a walk through the tree would end. So all comparisons are made, all masks joined, and nothing walked.

Shape suffixes: N rows, D inputs, K outputs, M nodes of all trees, T trees, C comparisons, J comparisons of one tree.
"""

from collections.abc import Sequence
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
    def of(cls, forest: "Forest", roots: Sequence[int]) -> "SmallTrees":
        """Take the trees with these roots; each has a comparison, and at most `MOST_LEAVES` leaves."""
        found: list[tuple[int, list[tuple[int, int]], list[int]]] = []
        for root in roots:
            comparisons, leaves = _looked_through(forest, root)
            speaks_K = (forest.value_MK[leaves] != 0).any(axis=0)
            found += [(int(k), comparisons, leaves) for k in np.flatnonzero(speaks_K)]
        found.sort(key=lambda one: one[0])
        longest = max((len(comparisons) for _, comparisons, _ in found), default=0)
        node_JT = np.full((longest, len(found)), roots[0] if roots else 0, dtype=np.intp)
        mask_JT = np.zeros(node_JT.shape, dtype=np.uint16)
        value_TL = np.zeros((len(found), MOST_LEAVES), dtype=np.float32)
        for t, (k, comparisons, leaves) in enumerate(found):
            value_TL[t, : len(leaves)] = forest.value_MK[leaves, k]
            for j, (node, mask) in enumerate(comparisons):
                node_JT[j, t], mask_JT[j, t] = node, mask
        kinds = np.stack([forest.feature_M[node_JT], forest.threshold_M[node_JT]], axis=-1).reshape(-1, 2)
        made_C2, comparison = np.unique(kinds, axis=0, return_inverse=True)
        outputs, starts = np.unique([k for k, _, _ in found], return_index=True)
        return cls(
            made_C2[:, 0].astype(np.intp),
            made_C2[:, 1:].astype(np.float32),
            comparison.reshape(node_JT.shape),
            mask_JT[:, :, None],
            value_TL,
            outputs.astype(np.intp),
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


def _looked_through(forest: "Forest", root: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return a tree's comparisons, each as its node and the mask of the leaves that it takes away, and its leaves."""
    comparisons: list[tuple[int, int]] = []
    leaves: list[int] = []

    def look(node: int) -> None:
        lower, upper = int(forest.lower_M[node]), int(forest.upper_M[node])
        if lower == node:
            leaves.append(node)
            return
        first = len(leaves)
        look(lower)
        comparisons.append((node, (1 << len(leaves)) - (1 << first)))
        look(upper)

    look(root)
    return comparisons, leaves

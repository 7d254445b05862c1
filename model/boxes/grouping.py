"""Groups of read blocks that form one element: the lines of a copy, a price with its currency, number and words.

Lengths are in picture heights. Shape suffixes: B read blocks; 4 edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.items import Box

Lengths = npt.NDArray[np.float32]
Links = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layout:
    """Sizes of read blocks and distances between them. ``aspect`` is the picture's width / height."""

    blocks_B4: Lengths
    aspect: float

    @cached_property
    def heights(self) -> Lengths:
        """The line height (B,) of each block: its height, or its width where the text runs from top to bottom."""
        sides_B2 = self.blocks_B4[:, 2:] - self.blocks_B4[:, :2]
        heights: Lengths = np.minimum(sides_B2[:, 1], sides_B2[:, 0] * self.aspect)
        return heights

    @cached_property
    def free(self) -> Lengths:
        """The free space (B, B, 2) between each pair of blocks, across and down; negative where they overlap."""
        return gaps(self.blocks_B4, self.blocks_B4, self.aspect)

    def same_copy(self, reach: float) -> Links:
        """Return which pairs of blocks (B, B) are lines of one copy.

        These are lines above each other, or parts of one line, with a gap of at most about ``reach`` line heights in
        one direction and an overlap in the other direction.
        """
        across, down = self.free[..., 0], self.free[..., 1]
        lower = np.minimum(self.heights[:, None], self.heights[None])
        higher = np.maximum(self.heights[:, None], self.heights[None])
        # Lines of very different size are rarely one copy, so their gap must be smaller.
        near = np.where(higher > 3.0 * lower, 0.6 * reach, reach)
        sides_B2 = (self.blocks_B4[:, 2:] - self.blocks_B4[:, :2]) * np.array([self.aspect, 1.0], dtype=np.float32)
        shorter_BB2 = np.minimum(sides_B2[:, None], sides_B2[None])
        stacked = (down <= near * lower + 0.1 * higher) & (-across >= 0.3 * shorter_BB2[..., 0])
        in_row = (across <= near * higher) & (-down >= 0.5 * shorter_BB2[..., 1])
        links: Links = stacked | in_row
        return links

    @cached_property
    def beside(self) -> Links:
        """Which pairs (B, B) are as close as a currency sign and its number: at most 0.6 of the larger line height."""
        tallest = np.maximum(self.heights[:, None], self.heights[None])
        near: Links = self.free <= 0.6 * tallest[..., None]
        return near[..., 0] & near[..., 1]


def gaps(boxes_N4: Lengths, others_M4: Lengths, aspect: float) -> Lengths:
    """Return the free space (N, M, 2) between each pair, across and down, in picture heights; negative for overlaps."""
    lower = np.maximum(boxes_N4[:, None, :2], others_M4[None, :, :2])
    upper = np.minimum(boxes_N4[:, None, 2:], others_M4[None, :, 2:])
    free: Lengths = (lower - upper) * np.array([aspect, 1.0], dtype=np.float32)
    return free


def connected(members: Sequence[int], links_BB: Links) -> list[tuple[int, ...]]:
    """Return groups of members that are linked directly or through other members, in order of their first member."""
    left, groups = set(members), []
    linked = {member: set(np.flatnonzero(links_BB[member]).tolist()) for member in members}
    for first in members:
        if first not in left:
            continue
        left.discard(first)
        group, new = {first}, [first]
        while new:
            reached = linked[new.pop()] & left
            left -= reached
            group |= reached
            new += reached
        groups.append(tuple(sorted(group)))
    return sorted(groups)


def union(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds all of these boxes."""
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def grown(box: Box, margin: float) -> Box:
    """Return the box with a margin on each side, cut at the edges of the picture."""
    return Box(
        max(0.0, box.left - margin),
        max(0.0, box.top - margin),
        min(1.0, box.right + margin),
        min(1.0, box.bottom + margin),
    )

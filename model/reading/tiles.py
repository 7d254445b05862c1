"""Tiles of a long picture: squares along it that overlap, so that few lines are cut in all of them.

A detector that gets a page of a shop as a whole sees lines of a few pixels. In tiles a line is as large as in a picture
of ordinary shape.

Shape suffixes: L lines; 4 corners; 2 coordinates (across, down), in pixels of the whole picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Corners = np.ndarray[Any, np.dtype[np.float32]]

# The part of a tile that the next one shows too: taller lines than this are joined from their parts.
OVERLAP = 0.2
# Pixels of the smallest tile, as of a picture of ordinary shape; a narrow picture does not fill it.
SMALLEST = 640
# The most tiles that are read of one picture: a page of 790 × 20,000 pixels. One takes a tenth of a second on 2 cores.
MOST = 32
# A line that ends this close to an edge inside the picture is cut by the edge; in sides of the tile.
AT_EDGE = 0.02
# Pixels of the shortest side of a line; what was found beside the picture, where a tile is filled up, has less.
LEAST_SIDE = 3
# A line is shown by another one that holds this share of its area.
SAME = 0.5
# A line that is whole in one tile may be this part of what another tile shows as one line: a third.
MOST_PARTS = 3.0


@dataclass(frozen=True)
class Tile:
    """The part of a picture from ``start`` to ``end`` along its longer side, in pixels.

    ``is_first`` and ``is_last`` say that it begins or ends at an edge of the picture.
    """

    start: int
    end: int
    is_first: bool
    is_last: bool


def tiles_of(length: int, breadth: int) -> list[Tile]:
    """Return the tiles of a picture with these sides in pixels, from the top or left; at most MOST."""
    side = min(length, max(breadth, SMALLEST))
    step = side * (1 - OVERLAP)
    count = 1 + math.ceil((length - side) / step)
    if 1 < count <= MOST:
        step = (length - side) / (count - 1)
    starts = [round(step * number) for number in range(min(count, MOST))]
    return [Tile(start, start + side, start == 0, start + side >= length) for start in starts]


def joined(found: Sequence[tuple[Tile, Corners]], axis: int) -> Corners:
    """Return the lines (L, 4, 2) of all tiles, each once, in no order.

    ``found`` has the lines (L, 4, 2) of each tile. ``axis`` is that of the longer side: 0 across, 1 down. A line that
    is whole in a tile counts. The parts of a line that every tile cuts become one upright rectangle.
    """
    corners_L42 = np.concatenate([corners for _, corners in found])
    if not len(corners_L42):
        return corners_L42
    tiles = [tile for tile, corners in found for _ in corners]
    low_L2, high_L2 = corners_L42.min(1), corners_L42.max(1)
    is_cut = [
        (not tile.is_first and low[axis] <= tile.start + AT_EDGE * (tile.end - tile.start))
        or (not tile.is_last and high[axis] >= tile.end - AT_EDGE * (tile.end - tile.start))
        for tile, low, high in zip(tiles, low_L2, high_L2, strict=True)
    ]
    parts = [line for line, cut in enumerate(is_cut) if cut]
    # Rectangles with the corners of the lines that they stand for: the whole ones, then those put together.
    lines = [(low_L2[line], high_L2[line], corners_L42[line], False) for line, cut in enumerate(is_cut) if not cut]
    for group in _groups(parts, low_L2, high_L2, axis):
        low, high = low_L2[group].min(0), high_L2[group].max(0)
        lines.append((low, high, np.array([low, (high[0], low[1]), high, (low[0], high[1])], dtype=np.float32), True))
    # Of two rectangles that show the same, the one that reaches further along the picture is the whole line.
    lines.sort(key=lambda line: -float((line[1] - line[0])[axis]))
    low_L2, high_L2 = (np.stack([line[edge] for line in lines]) for edge in (0, 1))
    area_L = (high_L2 - low_L2).prod(1)
    is_kept_L = np.zeros(len(lines), dtype=bool)
    for line, (low, high, _, cut) in enumerate(lines):
        shared_L = (np.minimum(high, high_L2) - np.maximum(low, low_L2)).clip(0).prod(1)
        # A whole line within something far larger, such as a ring that was taken for a letter, is no part of it.
        may_be_part_L = is_kept_L & (cut | (area_L <= MOST_PARTS * area_L[line]))
        is_part = (may_be_part_L & (shared_L >= SAME * area_L[line])).any()
        is_kept_L[line] = (high - low).min() >= LEAST_SIDE and not is_part
    kept_L42: Corners = np.stack([line[2] for line in lines])[is_kept_L]
    return kept_L42


def _groups(parts: Sequence[int], low_L2: Corners, high_L2: Corners, axis: int) -> list[list[int]]:
    """Return groups of parts of one line: they overlap, and beside the axis by at least half of the smaller one."""
    groups: list[list[int]] = []
    for part in parts:
        shared_L2 = np.minimum(high_L2[part], high_L2) - np.maximum(low_L2[part], low_L2)
        smaller_L = np.minimum(high_L2[part] - low_L2[part], high_L2 - low_L2)[:, 1 - axis]
        linked = set(np.flatnonzero((shared_L2[:, axis] > 0) & (shared_L2[:, 1 - axis] >= SAME * smaller_L)).tolist())
        touched = [group for group in groups if linked.intersection(group)]
        groups = [group for group in groups if not linked.intersection(group)]
        groups.append([part, *(member for group in touched for member in group)])
    return groups

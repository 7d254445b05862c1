"""Screens of a long picture: nearly square parts, cut where nothing is cut through.

A page of a shop is a row of pictures. Rules and learned parts that know places and sizes in a picture (logos stand at
the top, large numbers are prices) hold in each screen, not in the whole page. An ordinary picture is one screen.

Shape suffixes: H, W pixels of the thumbnail; R rows of it; 3 colours.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from model.items import Box, TextBlock, is_long

WHOLE = Box(0.0, 0.0, 1.0, 1.0)
# The shortest and the longest screen, in sides across.
SHORTEST, LONGEST = 0.6, 1.6
# A strip has about this many screens at most.
MOST = 32
# Colour distance (of 255) from the row's usual colour with which a cut costs 1.
COLOURFUL = 40.0
# Cost of a cut through a line of text, and of a screen that is as short or as long as may be.
THROUGH_TEXT = 2.0
ODD_SHAPE = 0.3

Costs = np.ndarray[Any, np.dtype[np.float64]]


def screens_of(size: tuple[int, int], thumbnail_HW3: np.ndarray[Any, Any], blocks: Sequence[TextBlock]) -> list[Box]:
    """Return the screens of a picture from its beginning to its end, in fractions of it; together they fill it.

    ``size`` is the picture's width and height in pixels, ``blocks`` is its text.
    """
    if not thumbnail_HW3.size or not is_long(size):
        return [WHOLE]
    is_tall = size[1] > size[0]
    # Rows are those across the longer side.
    rows_RW3 = (thumbnail_HW3 if is_tall else thumbnail_HW3.transpose(1, 0, 2)).astype(np.float64)
    rows, side = rows_RW3.shape[:2]
    unlike_R = np.abs(rows_RW3 - np.median(rows_RW3, axis=1, keepdims=True)).mean((1, 2))
    # A cut before row r passes between r - 1 and r.
    cost_R: Costs = np.minimum(np.maximum(unlike_R, np.roll(unlike_R, 1)) / COLOURFUL, 1.0)
    for block in blocks:
        start, end = (block.box.top, block.box.bottom) if is_tall else (block.box.left, block.box.right)
        cost_R[int(start * rows) + 1 : int(np.ceil(end * rows))] += THROUGH_TEXT
    cuts = _cuts(cost_R, max(side, rows // MOST))
    edges = [cut / rows for cut in cuts]
    return [Box(0.0, a, 1.0, b) if is_tall else Box(a, 0.0, b, 1.0) for a, b in pairwise(edges)]


def _cuts(cost_R: Costs, side: int) -> list[int]:
    """Return the rows of the cuts with the least cost, both ends included."""
    rows = len(cost_R)
    shortest = max(1, round(SHORTEST * side))
    lengths = np.arange(shortest, max(shortest + 1, round(LONGEST * side)) + 1)
    odd: Costs = ODD_SHAPE * ((lengths - side) / max(side * (1 - SHORTEST), 1.0)) ** 2
    best = np.full(rows + 1, np.inf)
    best[0] = 0.0
    came = np.zeros(rows + 1, dtype=np.int64)
    for row in range(shortest, rows + 1):
        reach = lengths[lengths <= row]
        total = best[row - reach] + odd[: len(reach)]
        least = int(total.argmin())
        best[row] = total[least] + (cost_R[row] if row < rows else 0.0)
        came[row] = row - reach[least]
    if not np.isfinite(best[rows]):
        return [0, rows]
    cuts = [rows]
    while cuts[-1] > 0:
        cuts.append(int(came[cuts[-1]]))
    return cuts[::-1]


def inside(box: Box, screen: Box) -> Box:
    """Return a box in fractions of the screen instead of the picture, cut at the screen's edges."""
    across, down = screen.width or 1.0, screen.height or 1.0
    edges = (
        (box.left - screen.left) / across,
        (box.top - screen.top) / down,
        (box.right - screen.left) / across,
        (box.bottom - screen.top) / down,
    )
    return Box(*(min(1.0, max(0.0, edge)) for edge in edges))


def home_of(box: Box, screens: Sequence[Box]) -> int:
    """Return the number of the screen in which the centre of a box lies."""
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return next((n for n, one in enumerate(screens) if across < one.right and down < one.bottom), len(screens) - 1)

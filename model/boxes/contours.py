"""Bounds of what hangs together by its edges: objects on calm ground, at several contrasts and reaches.

The same object found again at other contrasts is the more likely to be one (the idea of maximally stable regions,
Matas et al., BMVC 2002), so repeats are kept for the caller to count. Shape suffixes: H, W pixels; 3 colours.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from model.boxes.pixels import Pixels, cells
from model.items import Box

CONTRASTS = (16, 32, 64)
REACHES = (0, 1, 3)
SMALLEST_SIDE = 5
SMALLEST_AREA = 60
LARGEST_MARK = 5.0
"""A name with its sign is at most so many times the name alone."""

Steps = npt.NDArray[np.int16]


def contours(pixels_HW3: Pixels, hidden: Sequence[Box] = ()) -> list[Box]:
    """Bounds of all edge clusters, edges within ``hidden`` boxes (read text, the product) left out."""
    if not pixels_HW3.size:
        return []
    steps_HW = _steps(pixels_HW3)
    for box in hidden:
        steps_HW[cells(box, *steps_HW.shape)] = 0
    strong = [steps_HW > contrast for contrast in CONTRASTS]
    return [box for edges in strong for reach in REACHES for box in _clusters(edges, reach)]


def _steps(pixels_HW3: Pixels) -> Steps:
    """Largest change of any colour to the pixel above or to the left."""
    steps = np.zeros(pixels_HW3.shape, dtype=np.int16)
    np.abs(pixels_HW3[1:] - pixels_HW3[:-1], out=steps[1:])
    steps[:, 1:] = np.maximum(steps[:, 1:], np.abs(pixels_HW3[:, 1:] - pixels_HW3[:, :-1]))
    largest: Steps = np.maximum(np.maximum(steps[..., 0], steps[..., 1]), steps[..., 2])
    return largest


def _clusters(edges_HW: npt.NDArray[np.bool_], reach: int) -> list[Box]:
    """Bounds of the edges that are within twice ``reach`` pixels of each other, slivers and specks left out."""
    height, width = edges_HW.shape
    marks = edges_HW.view(np.uint8)
    wide = cv2.dilate(marks, np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)) if reach else marks
    # this algorithm numbers clusters in the order in which their first pixel is read
    _, _, bounds, _ = cv2.connectedComponentsWithStatsWithAlgorithm(wide, 8, cv2.CV_32S, cv2.CCL_WU)
    left, top, long, tall = (bounds[1:, column] for column in range(4))
    left, top, long, tall = left + reach, top + reach, long - 2 * reach, tall - 2 * reach
    kept = (np.minimum(long, tall) >= SMALLEST_SIDE) & (long * tall >= SMALLEST_AREA)
    edges = np.stack([left / width, top / height, (left + long) / width, (top + tall) / height], axis=1)[kept]
    return [Box(*row) for row in edges.tolist()]


def cluster_around(pixels_HW3: Pixels, box: Box, hidden: Sequence[Box] = ()) -> Box | None:
    """Bounds of the edges that hang together with ``box``, such as the sign beside a name; None without any.

    None too where they go far beyond it: then the box stands on something, and nothing stands beside it.
    """
    if not pixels_HW3.size:
        return None
    steps_HW = _steps(pixels_HW3)
    for other in hidden:
        steps_HW[cells(other, *steps_HW.shape)] = 0
    height, width = steps_HW.shape
    strong = (steps_HW > CONTRASTS[1]).view(np.uint8)
    inside = cells(box, height, width)
    strong[inside] = 1
    wide = cv2.dilate(strong, np.ones((3, 3), dtype=np.uint8))
    _, names, bounds, _ = cv2.connectedComponentsWithStatsWithAlgorithm(wide, 8, cv2.CV_32S, cv2.CCL_WU)
    left, top, long, tall, _ = bounds[names[inside].ravel()[0]].tolist() if names[inside].size else (0, 0, 0, 0, 0)
    found = Box((left + 1) / width, (top + 1) / height, (left + long - 1) / width, (top + tall - 1) / height)
    return found if box.area < found.area <= LARGEST_MARK * box.area else None

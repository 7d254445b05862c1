"""Bounds of connected edges: objects on an even background, found at several contrasts and reaches.

An object that is found again at other contrasts is more likely a real object (the idea of maximally stable regions,
Matas et al., BMVC 2002), so duplicates are kept for the caller to count. Shape suffixes: H, W pixels; 3 colours.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from model.boxes.pixels import Pixels, cells
from model.items import Box

# Changes of colour between neighbouring pixels above which there is an edge.
CONTRASTS = (16, 32, 64)
# Pixels by which edges are widened before they are connected.
REACHES = (0, 1, 3)
# Smaller clusters are slivers and specks; in pixels.
SMALLEST_SIDE = 5
SMALLEST_AREA = 60
# The largest area of a name with its sign, in areas of the name alone.
LARGEST_MARK = 5.0

Steps = npt.NDArray[np.int16]


def contours(pixels_HW3: Pixels, hidden: Sequence[Box] = ()) -> list[Box]:
    """Return the bounds of all edge clusters.

    Edges within ``hidden`` boxes (read text, the product) do not count. Clusters are found for each contrast and each
    reach; the bounds of a cluster do not include the widening.
    """
    if not pixels_HW3.size:
        return []
    steps_HW = _steps(pixels_HW3, hidden)
    height, width = steps_HW.shape
    found: list[Box] = []
    for contrast in CONTRASTS:
        edges_HW = (steps_HW > contrast).view(np.uint8)
        for reach in REACHES:
            side = 2 * reach + 1
            wide = cv2.dilate(edges_HW, np.ones((side, side), dtype=np.uint8)) if reach else edges_HW
            # This algorithm numbers clusters in the order in which their first pixel is read.
            _, _, bounds, _ = cv2.connectedComponentsWithStatsWithAlgorithm(wide, 8, cv2.CV_32S, cv2.CCL_WU)
            left, top, long, tall = (bounds[1:, column] for column in range(4))
            left, top, long, tall = left + reach, top + reach, long - 2 * reach, tall - 2 * reach
            kept = (np.minimum(long, tall) >= SMALLEST_SIDE) & (long * tall >= SMALLEST_AREA)
            sides = [left / width, top / height, (left + long) / width, (top + tall) / height]
            found += [Box(*row) for row in np.stack(sides, axis=1)[kept].tolist()]
    return found


def cluster_around(pixels_HW3: Pixels, box: Box, hidden: Sequence[Box] = ()) -> Box | None:
    """Return the bounds of a box and the edges connected with it, such as a name and its sign; None without such edges.

    The answer is None too where the edges reach far beyond the box: then the box lies on a larger object, and has no
    sign beside it. Edges within ``hidden`` boxes do not count.
    """
    if not pixels_HW3.size:
        return None
    steps_HW = _steps(pixels_HW3, hidden)
    height, width = steps_HW.shape
    strong = (steps_HW > CONTRASTS[1]).view(np.uint8)
    inside = cells(box, height, width)
    # The box counts as one edge, so that whatever touches the box is in its cluster.
    strong[inside] = 1
    wide = cv2.dilate(strong, np.ones((3, 3), dtype=np.uint8))
    _, names, bounds, _ = cv2.connectedComponentsWithStatsWithAlgorithm(wide, 8, cv2.CV_32S, cv2.CCL_WU)
    left, top, long, tall, _ = bounds[names[inside].ravel()[0]].tolist() if names[inside].size else (0, 0, 0, 0, 0)
    found = Box((left + 1) / width, (top + 1) / height, (left + long - 1) / width, (top + tall - 1) / height)
    return found if box.area < found.area <= LARGEST_MARK * box.area else None


def _steps(pixels_HW3: Pixels, hidden: Sequence[Box]) -> Steps:
    """Return for each pixel the largest change of a colour to the pixel above or to the left; 0 in hidden boxes."""
    steps = np.zeros(pixels_HW3.shape, dtype=np.int16)
    np.abs(pixels_HW3[1:] - pixels_HW3[:-1], out=steps[1:])
    steps[:, 1:] = np.maximum(steps[:, 1:], np.abs(pixels_HW3[:, 1:] - pixels_HW3[:, :-1]))
    largest_HW: Steps = np.maximum(np.maximum(steps[..., 0], steps[..., 1]), steps[..., 2])
    for box in hidden:
        largest_HW[cells(box, *largest_HW.shape)] = 0
    return largest_HW

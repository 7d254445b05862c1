"""Bounds of what hangs together by its edges: objects on calm ground, at several contrasts and reaches.

The same object found again at other contrasts is the more likely to be one (the idea of maximally stable regions,
Matas et al., BMVC 2002), so repeats are kept for the caller to count. Shape suffixes: H, W pixels; 3 colours.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.boxes.pixels import Pixels, cells
from model.items import Box

CONTRASTS = (16, 32, 64)
REACHES = (0, 1, 3)
SMALLEST_SIDE = 5
SMALLEST_AREA = 60
DIAGONAL = np.ones((3, 3), dtype=bool)

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
    wide = ndimage.maximum_filter(edges_HW, 2 * reach + 1) if reach else edges_HW
    names, _ = ndimage.label(wide, structure=DIAGONAL)
    found = []
    for rows, columns in ndimage.find_objects(names):
        top, bottom, left, right = rows.start + reach, rows.stop - reach, columns.start + reach, columns.stop - reach
        tall, long = bottom - top, right - left
        if min(tall, long) >= SMALLEST_SIDE and tall * long >= SMALLEST_AREA:
            found.append(Box(left / width, top / height, right / width, bottom / height))
    return found

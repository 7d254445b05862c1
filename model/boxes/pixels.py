"""Boxes that the picture's own pixels suggest: plates under copy, and objects that stand out from the background.

Shape suffixes: H, W pixels of the thumbnail; 3 colours.
"""

import cv2
import numpy as np
import numpy.typing as npt

from model.items import Box

Pixels = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]

FILLED = 0.6
LARGEST_PLATE = 0.3


def plate(pixels_HW3: Pixels, box: Box, *, tolerance: int = 40, largest: float = 8.0) -> Box | None:
    """The compact plate or badge of one colour that copy stands on; None where it stands on open background.

    The plate's colour is the one at the rim of the copy; the plate is what is connected to the rim in that colour. It
    is looked for within one and a half text sizes, and is at most ``largest`` times the copy's area.
    """
    height, width = pixels_HW3.shape[:2]
    top, bottom = _span(box.top, box.bottom, height)
    left, right = _span(box.left, box.right, width)
    reach = 2 + round(0.75 * max(bottom - top, right - left))
    r0, r1 = max(0, top - reach), min(height, bottom + reach)
    c0, c1 = max(0, left - reach), min(width, right + reach)
    inner = (slice(top - r0, bottom - r0), slice(left - c0, right - c0))
    plate_HW = _alike_and_connected(pixels_HW3[r0:r1, c0:c1], inner, tolerance)
    up, down, west, east = bounds(plate_HW)
    open_sides = (up == 0 < r0, west == 0 < c0, down + r0 == r1 < height, east + c0 == c1 < width)
    found = Box((west + c0) / width, (up + r0) / height, (east + c0) / width, (down + r0) / height)
    filled = _row_fill(plate_HW[up:down, west:east])
    if any(open_sides) or filled < FILLED or found.area > min(LARGEST_PLATE, largest * box.area):
        return None
    return found


def _alike_and_connected(pixels_HW3: Pixels, inner: tuple[slice, slice], tolerance: int) -> Mask:
    """What is connected to the rim of ``inner`` in the rim's colour, and ``inner`` itself."""
    inside = np.zeros(pixels_HW3.shape[:2], dtype=bool)
    inside[inner] = True
    rows, columns = inner
    rim = np.zeros_like(inside)
    rim[max(0, rows.start - 1) : rows.stop + 1, max(0, columns.start - 1) : columns.stop + 1] = True
    rim[rows.start + 1 : rows.stop - 1, columns.start + 1 : columns.stop - 1] = False
    colour = np.median(pixels_HW3[rim], axis=0)
    unlike = np.abs(pixels_HW3 - colour.astype(np.int16))
    alike = (unlike[..., 0] <= tolerance) & (unlike[..., 1] <= tolerance) & (unlike[..., 2] <= tolerance)
    count, regions = cv2.connectedComponents(alike.view(np.uint8), connectivity=4)
    touching = np.zeros(count, dtype=bool)
    touching[regions[rim]] = True
    touching[0] = False
    connected: Mask = touching[regions] | inside
    return connected


def _row_fill(mask_HW: Mask) -> float:
    """Share of a region's bounds between the first and last cell of its rows: holes, such as letters, are filled."""
    width = mask_HW.shape[1]
    first, last = mask_HW.argmax(axis=1), width - mask_HW[:, ::-1].argmax(axis=1)
    return float(np.where(mask_HW.any(axis=1), last - first, 0).mean() / width)


def cells(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a raster that a box touches."""
    rows = slice(int(box.top * height), int(np.ceil(box.bottom * height)))
    return rows, slice(int(box.left * width), int(np.ceil(box.right * width)))


def _span(start: float, stop: float, size: int) -> tuple[int, int]:
    first = min(size - 1, max(0, round(start * size)))
    return first, min(size, max(first + 1, round(stop * size)))


def bounds(mask_HW: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1

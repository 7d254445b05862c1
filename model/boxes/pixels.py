"""Plates (areas of one colour) under copy, found in the pixels, and the conversion of boxes to rows and columns.

Shape suffixes: H, W pixels of the thumbnail; 3 colours.
"""

import cv2
import numpy as np
import numpy.typing as npt

from model.items import Box

Pixels = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]

# A plate fills at least this share of its bounds.
FILLED = 0.6
# A plate covers at most this share of the picture.
LARGEST_PLATE = 0.3


def plate(pixels_HW3: Pixels, box: Box, *, tolerance: int = 40, largest: float = 8.0) -> Box | None:
    """Return the bounds of the plate or badge of one colour under a piece of copy; None where there is no plate.

    The plate is the region that is connected to the rim of the copy and has the rim's colour, up to a difference of
    ``tolerance`` (of 255) in each channel. It is searched within one and a half text sizes, has at most ``largest``
    times the copy's area, and ends within the search area: otherwise the copy lies on open background.
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
    # Letters are holes in the plate, so each row counts from its first to its last pixel.
    mask_HW = plate_HW[up:down, west:east]
    size = mask_HW.shape[1]
    first, last = mask_HW.argmax(axis=1), size - mask_HW[:, ::-1].argmax(axis=1)
    filled = float(np.where(mask_HW.any(axis=1), last - first, 0).mean() / size)
    if any(open_sides) or filled < FILLED or found.area > min(LARGEST_PLATE, largest * box.area):
        return None
    return found


def _alike_and_connected(pixels_HW3: Pixels, inner: tuple[slice, slice], tolerance: int) -> Mask:
    """Return the pixels connected to the rim of ``inner`` that have the rim's colour, and those of ``inner`` itself."""
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


def cells(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of a raster that a box touches."""
    rows = slice(int(box.top * height), int(np.ceil(box.bottom * height)))
    return rows, slice(int(box.left * width), int(np.ceil(box.right * width)))


def _span(start: float, stop: float, size: int) -> tuple[int, int]:
    """Return the first pixel and the end of a part of a side; at least one pixel."""
    first = min(size - 1, max(0, round(start * size)))
    return first, min(size, max(first + 1, round(stop * size)))


def bounds(mask_HW: Mask) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the True pixels; bottom and right are the ends."""
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1

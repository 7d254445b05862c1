"""The outline of an object: a rough rectangle made to fit what stands in it.

Saliency finds where an object is on a coarse raster, and holds its densest part: handles, sleeves and legs are cut off.
GrabCut (Rother et al., SIGGRAPH 2004) parts the colours of the object from those around it, pixel by pixel.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from model.boxes.grouping import grown
from model.boxes.pixels import Mask, Pixels, bounds, cells
from model.items import Box

SIDE = 96
"""Pixels of the longer side: 25 ms of one core; 64 finds fewer outlines, 128 takes twice as long."""
MARGIN = 0.09
"""So far beyond the rough rectangle may the object reach, in sides of the picture."""
ROUNDS = 2
FEWEST_PIXELS = 10
PART = 0.1
"""A piece smaller than this share of the largest is a speck."""
SAME = 0.5
"""An outline that overlaps the rough rectangle less is another thing."""


def outlined(pixels_HW3: Pixels, rough: Box, hidden: Sequence[Box] = ()) -> Box:
    """The bounds of the object within ``rough``; ``rough`` itself where colours do not tell the object from the ground.

    ``hidden`` boxes (read text) are no part of any object.
    """
    if not pixels_HW3.size:
        return rough
    scale = SIDE / max(pixels_HW3.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels_HW3.shape[:2])
    small = cv2.resize(pixels_HW3.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    guess_HW = np.full((height, width), cv2.GC_BGD, dtype=np.uint8)
    guess_HW[cells(grown(rough, MARGIN), height, width)] = cv2.GC_PR_FGD
    for box in hidden:
        guess_HW[cells(box, height, width)] = cv2.GC_BGD
    found = _largest(_cut(small, guess_HW))
    return rough if found is None or found.iou(rough) < SAME else found


def _cut(small_HW3: cv2.typing.MatLike, guess_HW: cv2.typing.MatLike) -> Mask:
    """The pixels of the object; none where the guess leaves too few of either side to learn colours from."""
    possible = int((guess_HW == cv2.GC_PR_FGD).sum())
    if min(possible, guess_HW.size - possible) < FEWEST_PIXELS:
        return np.zeros(guess_HW.shape, dtype=bool)
    cv2.setRNGSeed(1)  # of this thread: the same picture has the same outline
    colours = np.zeros((1, 65)), np.zeros((1, 65))  # room for the colours that it learns of both sides
    cv2.grabCut(small_HW3, guess_HW, (0, 0, 0, 0), *colours, ROUNDS, cv2.GC_INIT_WITH_MASK)
    object_HW: Mask = guess_HW == cv2.GC_PR_FGD
    return object_HW


def _largest(mask_HW: Mask) -> Box | None:
    """Bounds of the largest connected piece and of those that are not small beside it; None of nothing."""
    count, pieces_HW, facts, _ = cv2.connectedComponentsWithStats(mask_HW.view(np.uint8), connectivity=8)
    if count < 2:
        return None
    areas = facts[1:, cv2.CC_STAT_AREA]
    large = np.flatnonzero(areas >= PART * areas.max()) + 1
    top, bottom, left, right = bounds(np.isin(pieces_HW, large))
    height, width = mask_HW.shape
    return Box(left / width, top / height, right / width, bottom / height)

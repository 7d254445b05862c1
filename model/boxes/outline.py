"""The outline of an object: bounds that fit the object, from a rough rectangle.

Saliency finds an object on a coarse raster, and often only its densest part: handles, sleeves and legs are missing.
GrabCut (Rother et al., SIGGRAPH 2004) separates the colours of the object from those around it, pixel by pixel.

Shape suffixes: H, W pixels; 3 colours.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from model.boxes.grouping import grown
from model.boxes.pixels import Mask, Pixels, bounds, cells
from model.items import Box

# Pixels of the longer side: GrabCut takes 25 ms of one core. 64 pixels give fewer outlines, 128 take twice the time.
SIDE = 96
# The object may reach this far beyond the rough rectangle, in sides of the picture.
MARGIN = 0.09
# Rounds of GrabCut.
ROUNDS = 2
# The fewest pixels from which the colours of the object, and of the ground, are learned.
FEWEST_PIXELS = 10
# A piece with less than this share of the largest piece's area is a speck.
PART = 0.1
# An outline with less overlap (IoU) with the rough rectangle is that of another object.
SAME = 0.5


def outlined(pixels_HW3: Pixels, rough: Box, hidden: Sequence[Box] = ()) -> Box:
    """Return the bounds of the object within ``rough``; ``rough`` itself where colours do not separate the object.

    ``hidden`` boxes (read text) are not part of any object.
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
    possible = int((guess_HW == cv2.GC_PR_FGD).sum())
    if min(possible, guess_HW.size - possible) < FEWEST_PIXELS:
        return rough
    # The seed of this thread's random numbers: the same picture always has the same outline.
    cv2.setRNGSeed(1)
    # GrabCut writes what it learns of both sides' colours into these arrays.
    colours = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, guess_HW, (0, 0, 0, 0), *colours, ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask_HW: Mask = guess_HW == cv2.GC_PR_FGD
    count, pieces_HW, facts, _ = cv2.connectedComponentsWithStats(mask_HW.view(np.uint8), connectivity=8)
    # Piece 0 is the ground.
    if count < 2:
        return rough
    areas = facts[1:, cv2.CC_STAT_AREA]
    large = np.flatnonzero(areas >= PART * areas.max()) + 1
    top, bottom, left, right = bounds(np.isin(pieces_HW, large))
    found = Box(left / width, top / height, right / width, bottom / height)
    return rough if found.iou(rough) < SAME else found

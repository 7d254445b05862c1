"""Looks at pictures: finds their lines of text and recognises them, several pictures at a time.

Shape suffixes: H, W pixels; 3 colours; L lines; 4 corners; 2 coordinates (across, down) in pixels.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from rapidocr.utils.process_img import (
    apply_vertical_padding,
    get_rotate_crop_image,
    map_boxes_to_original,
    resize_image_within_bounds,
)

from model.items import is_long
from model.reading.detection import NO_LINES, Detector
from model.reading.lines import Line, Pixels
from model.reading.networks import streams_of
from model.reading.recognition import Recognizer
from model.reading.tiles import Corners, Tile, joined, tiles_of

# Larger pictures are scaled to this long side in pixels. A larger scale finds more small print and takes longer.
LONG_SIDE = 640
# Pictures with a shorter side in pixels hold no readable text, and rapidocr's own scaling fails on them.
SHORTEST_SIDE = 8
# rapidocr's own bounds of a picture's sides, and the height from which a picture needs no margin above and below.
SIDES = (30, 2000)
NEEDS_MARGIN = 30


@dataclass(frozen=True)
class Found:
    """The lines of one picture: their corners (L, 4, 2) in pixels, and their own pixels.

    ``size`` is the picture's width and height, ``is_whole`` says whether it was looked at to its end.
    """

    corners_L42: Corners
    crops: Sequence[Pixels]
    size: tuple[int, int]
    is_whole: bool = True


class Looker:
    """Finds and recognises lines with one thread a picture; one caller at a time."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(streams_of(threads), "reader")
        self._detector = Detector(threads)
        self._recognizer = Recognizer(threads)

    def found(self, images: Sequence[Image.Image]) -> list[Found]:
        """Return the lines of each upright RGB picture."""
        alone = len(images) == 1

        def looked_at(image: Image.Image) -> Found:
            return self._at_once(_pixels(image), alone=alone)

        usual = self._pool.map(looked_at, [image for image in images if not is_long(image.size)])
        return [self._in_tiles(_pixels(image)) if is_long(image.size) else next(usual) for image in images]

    def recognised(self, crops: list[Pixels]) -> list[Line]:
        """Return what stands in the pixels of each line."""
        return self._recognizer.read(crops, self._pool.map)

    def _at_once(self, pixels_HW3: Pixels, *, alone: bool) -> Found:
        """Return the lines of a picture of ordinary shape."""
        height, width = pixels_HW3.shape[:2]
        nothing = Found(NO_LINES.copy(), [], (width, height))
        if min(height, width) < SHORTEST_SIDE:
            return nothing
        prepared_HW3, down, across = resize_image_within_bounds(pixels_HW3, *SIDES)
        steps: dict[str, Any] = {"preprocess": {"ratio_h": down, "ratio_w": across}}
        # The shape of a wide line needs no margin, because wide pictures are read in tiles.
        prepared_HW3, steps = apply_vertical_padding(prepared_HW3, steps, -1, NEEDS_MARGIN)
        corners_L42 = self._detector(prepared_HW3, alone=alone)
        if not len(corners_L42):
            return nothing
        crops = _crops(prepared_HW3, corners_L42)
        return Found(map_boxes_to_original(corners_L42, steps, height, width), crops, (width, height))

    def _in_tiles(self, pixels_HW3: Pixels) -> Found:
        """Return the lines of a long picture."""
        height, width = pixels_HW3.shape[:2]
        if min(height, width) < SHORTEST_SIDE:
            return Found(NO_LINES.copy(), [], (width, height))
        axis = int(height > width)
        tiles = tiles_of(max(height, width), min(height, width))

        def lines_of(tile: Tile) -> Corners:
            part_HW3 = pixels_HW3[tile.start : tile.end] if axis else pixels_HW3[:, tile.start : tile.end]
            missing = tile.end - tile.start - part_HW3.shape[1 if axis else 0]
            beside = ((0, 0), (0, missing)) if axis else ((0, missing), (0, 0))
            square_HW3 = np.ascontiguousarray(np.pad(part_HW3, (*beside, (0, 0)), "edge"))
            corners_L42 = self._detector(square_HW3, alone=len(tiles) == 1)
            corners_L42[..., axis] += tile.start
            clipped: Corners = corners_L42.clip(0, np.array([width, height], dtype=np.float32))
            return clipped

        corners_L42 = joined(list(zip(tiles, self._pool.map(lines_of, tiles), strict=True)), axis)
        if len(corners_L42):
            corners_L42 = self._detector.ordered(corners_L42)
        return Found(corners_L42, _crops(pixels_HW3, corners_L42), (width, height), tiles[-1].is_last)


def _pixels(image: Image.Image) -> Pixels:
    """Return the pixels (H, W, 3) that are read of a picture, with blue before red, as rapidocr expects it."""
    scale = LONG_SIDE / (min if is_long(image.size) else max)(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _crops(pixels_HW3: Pixels, corners_L42: Corners) -> list[Pixels]:
    """Return the pixels of each line, straightened."""
    return [get_rotate_crop_image(pixels_HW3, corners_L42[line]) for line in range(len(corners_L42))]

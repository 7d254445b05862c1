"""Reads the text in pictures, each line with its place (PP-OCR models of rapidocr, run by OpenVINO)."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from model.items import Box, TextBlock, is_long
from model.reading.lines import TOO_LONG, Line, Pixels, recognised
from model.reading.tiles import Corners, Tile, joined, tiles_of

if TYPE_CHECKING:
    from model.reading.detection import Detector
    from model.reading.recognition import Recognizer

# Larger pictures are scaled to this long side in pixels. A larger scale finds more small print and takes longer.
LONG_SIDE = 640
# Part of the version: change the number wherever the read text may change.
SETTINGS = "fixed shapes 1"
# Pictures with a shorter side in pixels hold no readable text, and rapidocr's own scaling fails on them.
SHORTEST_SIDE = 8
# Lines that the recogniser is less sure of are left out; rapidocr's own value.
LEAST_SCORE = 0.5

# Pictures that are looked at together, which limits the memory of their pixels and of their lines.
AT_A_TIME = 16
# rapidocr's own bounds of a picture's sides, and the height from which a picture needs no margin above and below.
SIDES = (30, 2000)
NEEDS_MARGIN = 30


@dataclass(frozen=True)
class Reading:
    """The lines of text of one picture, and notes on what of its text was not read as usual."""

    blocks: tuple[TextBlock, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """The lines of one picture: their corners (L, 4, 2) in pixels, and their own pixels.

    ``size`` is the picture's width and height, ``is_whole`` says whether it was looked at to its end.
    """

    corners_L42: Corners
    crops: Sequence[Pixels]
    size: tuple[int, int]
    is_whole: bool = True


class Reader:
    """Reads pictures, several at a time; safe to call from several threads.

    ``threads`` is the number of CPU threads, 0 for one on each core. The models are loaded with the first picture.

        blocks = Reader().read([image])[0].blocks
    """

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """The version of models and settings on which the read text depends; part of the fingerprint of features."""
        return f"rapidocr {version('rapidocr')} side {LONG_SIDE} {SETTINGS}"

    def describe(self) -> str:
        return f"rapidocr {version('rapidocr')} (PP-OCR models inside its wheel, OpenVINO)"

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Return the lines of text of each upright RGB picture, from top to bottom.

        What a picture says does not depend on the others. Several pictures take less time than one after another.
        """
        with self._lock:
            return [reading for part in _parts(images) for reading in self._read(part)]

    def _read(self, images: Sequence[Image.Image]) -> list[Reading]:
        alone = len(images) == 1

        def looked_at(image: Image.Image) -> _Found:
            return self._at_once(_pixels(image), alone=alone)

        usual = self._pool.map(looked_at, [image for image in images if not is_long(image.size)])
        found = [self._in_tiles(_pixels(image)) if is_long(image.size) else next(usual) for image in images]
        said = recognised([one.crops for one in found], self._texts)
        return [_reading(one, lines, notes) for one, (lines, notes) in zip(found, said, strict=True)]

    def _at_once(self, pixels_HW3: Pixels, *, alone: bool) -> _Found:
        """Return the lines of a picture of ordinary shape."""
        from rapidocr.utils.process_img import apply_vertical_padding, map_boxes_to_original, resize_image_within_bounds

        height, width = pixels_HW3.shape[:2]
        nothing = _Found(np.zeros((0, 4, 2), dtype=np.float32), [], (width, height))
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
        return _Found(map_boxes_to_original(corners_L42, steps, height, width), crops, (width, height))

    def _in_tiles(self, pixels_HW3: Pixels) -> _Found:
        """Return the lines of a long picture."""
        height, width = pixels_HW3.shape[:2]
        if min(height, width) < SHORTEST_SIDE:
            return _Found(np.zeros((0, 4, 2), dtype=np.float32), [], (width, height))
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
        return _Found(corners_L42, _crops(pixels_HW3, corners_L42), (width, height), tiles[-1].is_last)

    def _texts(self, crops: list[Pixels]) -> list[Line]:
        """Return what stands in the pixels of lines."""
        return self._recognizer.read(crops, self._pool.map) if crops else []

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        from model.reading.networks import streams_of

        return ThreadPoolExecutor(streams_of(self._threads), "reader")

    @cached_property
    def _detector(self) -> "Detector":
        from model.reading.detection import Detector

        return Detector(self._threads)

    @cached_property
    def _recognizer(self) -> "Recognizer":
        from model.reading.recognition import Recognizer

        return Recognizer(self._threads)


def _parts(images: Sequence[Image.Image]) -> Iterator[Sequence[Image.Image]]:
    """Yield the pictures in parts of AT_A_TIME at most; a long one, which has the pixels of many, by itself."""
    start = 0
    for place, image in enumerate(images):
        if is_long(image.size):
            yield from (part for part in (images[start:place], images[place : place + 1]) if part)
            start = place + 1
        elif place + 1 - start == AT_A_TIME:
            yield images[start : place + 1]
            start = place + 1
    if start < len(images):
        yield images[start:]


def _pixels(image: Image.Image) -> Pixels:
    """Return the pixels (H, W, 3) that are read of a picture, with blue before red, as rapidocr expects it."""
    scale = LONG_SIDE / (min if is_long(image.size) else max)(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _crops(pixels_HW3: Pixels, corners_L42: Corners) -> list[Pixels]:
    """Return the pixels of each line, straightened."""
    from rapidocr.utils.process_img import get_rotate_crop_image

    return [get_rotate_crop_image(pixels_HW3, deepcopy(corners_42)) for corners_42 in corners_L42]


def _reading(found: _Found, lines: Sequence[Line], notes: tuple[str, ...]) -> Reading:
    """Return what is kept of what was read in the lines of a picture."""
    width, height = found.size
    blocks = []
    for corners_42, line in zip(found.corners_L42, lines, strict=True):
        if not line.text.strip() or line.score < LEAST_SCORE:
            continue
        (left, top), (right, bottom) = corners_42.min(axis=0), corners_42.max(axis=0)
        edges = np.clip([left / width, top / height, right / width, bottom / height], 0.0, 1.0)
        blocks.append(TextBlock(Box(*(float(edge) for edge in edges)), line.text, line.score))
    return Reading(tuple(blocks), notes if found.is_whole else (*notes, TOO_LONG))

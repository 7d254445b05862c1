"""Reads the text in pictures, each line with its place (PP-OCR models of rapidocr, run by OpenVINO)."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from model.items import Box, TextBlock, is_long
from model.reading.lines import TOO_LONG, Line, recognised

if TYPE_CHECKING:
    from model.reading.looking import Found, Looker

# Part of the version: change the number wherever the read text may change.
SETTINGS = "side 640 fixed shapes 1"
# Lines that the recogniser is less sure of are left out; rapidocr's own value.
LEAST_SCORE = 0.5
# Pictures that are looked at together, which limits the memory of their pixels and of their lines.
AT_A_TIME = 16


@dataclass(frozen=True)
class Reading:
    """The lines of text of one picture, and notes on what of its text was not read as usual."""

    blocks: tuple[TextBlock, ...]
    notes: tuple[str, ...] = ()


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
        return f"rapidocr {version('rapidocr')} {SETTINGS}"

    def describe(self) -> str:
        return f"rapidocr {version('rapidocr')} (PP-OCR models inside its wheel, OpenVINO)"

    def read(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Return the lines of text of each upright RGB picture, from top to bottom.

        What a picture says does not depend on the others. Several pictures take less time than one after another.
        """
        with self._lock:
            return [reading for part in parts_of(images) for reading in self._read(part)]

    def _read(self, images: Sequence[Image.Image]) -> list[Reading]:
        found = self._looker.found(images)
        said = recognised([one.crops for one in found], self._looker.recognised)
        return [_reading(one, lines, notes) for one, (lines, notes) in zip(found, said, strict=True)]

    @cached_property
    def _looker(self) -> "Looker":
        # Imported by the first picture, since OpenVINO and rapidocr take seconds; and never by two threads at a time.
        from model.reading.looking import Looker

        return Looker(self._threads)


def parts_of(images: Sequence[Image.Image]) -> Iterator[Sequence[Image.Image]]:
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


def _reading(found: "Found", lines: Sequence[Line], notes: tuple[str, ...]) -> Reading:
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

"""Recognition of lines: lines that are upside down are read turned, and text that cannot be read is told.

The recogniser reads little or nothing in a line that is upside down or in a script that it does not know: a character
or two where there is room for ten. Such a line is doubtful. Only where at least half of a picture's lines are doubtful
all are read a second time, turned, because single lines of an upright picture are doubtful for many reasons. The turned
readings count if they explain at least half of the doubtful lines: any text has letters that look alike when turned.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# What may be told of a picture's text.
TOO_LONG = "the picture is longer than is read: only text of its beginning was read"
TURNED = "text was upside down and was read turned"
UNREADABLE = "text was found that cannot be read: a script that the reader does not know, or unclear print"

# A line with a lower score is doubtful.
SURE = 0.8
# So is one with fewer characters in each line height of its length: Chinese print has about 1, Latin print about 2.
SPARSE = 0.4
# The least score with which the text of a turned line counts.
TURNED_SCORE = 0.9
# The fewest doubtful lines of a picture that are told of: a single one is more often a pattern than text.
FEWEST_UNREADABLE = 2


@dataclass(frozen=True)
class Line:
    """What the recogniser reads in the pixels of a line, and its confidence in [0, 1]."""

    text: str
    score: float


def recognised(
    pictures: Sequence[Sequence[Pixels]], read: Callable[[list[Pixels]], list[Line]]
) -> list[tuple[list[Line], tuple[str, ...]]]:
    """Return what stands in the lines of each picture, given their pixels, and what is to be told of its text.

    ``read`` is the recogniser. It gets the lines of all pictures at once, and then those that are read turned.
    """

    def answers(crops: list[Pixels]) -> Iterator[Line]:
        return iter(read(crops) if crops else ())

    said = answers([crop for crops in pictures for crop in crops])
    found = [[next(said) for _ in crops] for crops in pictures]
    doubtful = [
        {place for place, line in enumerate(lines) if _is_doubtful(line, crops[place])}
        for lines, crops in zip(found, pictures, strict=True)
    ]
    again = [bool(few) and 2 * len(few) >= len(lines) for few, lines in zip(doubtful, found, strict=True)]
    due = [crops for crops, is_due in zip(pictures, again, strict=True) if is_due]
    said = answers([np.ascontiguousarray(crop[::-1, ::-1]) for crops in due for crop in crops])
    return [
        _best(lines, [next(said) for _ in crops], few, crops) if is_due else (lines, ())
        for lines, crops, few, is_due in zip(found, pictures, doubtful, again, strict=True)
    ]


def _best(
    lines: list[Line], turned: list[Line], doubtful: set[int], crops: Sequence[Pixels]
) -> tuple[list[Line], tuple[str, ...]]:
    """Return the lines of a picture as they are or turned, and what is to be told of them."""
    better = {
        place: line
        for place, (line, before) in enumerate(zip(turned, lines, strict=True))
        if line.score >= TURNED_SCORE and len(line.text) > len(before.text) and not _is_doubtful(line, crops[place])
    }
    if 2 * len(doubtful & better.keys()) < len(doubtful):
        better = {}
    left = len(doubtful - better.keys())
    notes = [TURNED] * bool(better) + [UNREADABLE] * (left >= FEWEST_UNREADABLE and 2 * left >= len(lines))
    return [better.get(place, line) for place, line in enumerate(lines)], tuple(notes)


def _is_doubtful(line: Line, crop_HW3: Pixels) -> bool:
    """Return whether a line is unsure or has too few characters for its length."""
    height, width = crop_HW3.shape[:2]
    return line.score < SURE or len("".join(line.text.split())) * height < SPARSE * width

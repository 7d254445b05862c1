"""Read boxes.csv: gold boxes in percent of the picture."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import isfinite, nan
from pathlib import Path

from tagloom.datasets.labels import Spellings
from tagloom.datasets.tables import Columns, Row, read_table

_COLUMNS = Columns(("id", "label", "x", "y", "width", "height"), ("extra",))
_SIDES = ("x", "y", "width", "height")
# Percent by which a box may cross the picture's edge, because tables hold rounded numbers.
_SLACK = 0.5
_FRACTION = 1 + _SLACK / 100  # the same edge in fractions of the picture
_REGION = re.compile(r"(gift_text|ignore|block|text|group)(?:\([^)]*\))?=([^;]*)")
_COMMA = re.compile(r"[-+]?\d*,\d+")

Region = tuple[str, tuple[float, float, float, float]]


@dataclass(frozen=True)
class GoldBox:
    """One boxed element, in percent of the picture. `extra` holds regions that scoring leaves out."""

    label: str
    x: float
    y: float
    width: float
    height: float
    extra: str = ""

    def regions(self) -> list[Region]:
        """Return name and (x, y, width, height) of each region in `extra`. ValueError for one without four numbers."""
        found: list[Region] = []
        for name, text in _REGION.findall(self.extra):
            try:
                x, y, width, height = (float(number) for number in text.split()[:4])
                if not all(map(isfinite, (x, y, width, height))):
                    raise ValueError("not finite")
            except ValueError as wrong:
                raise ValueError(
                    f"region {name}={text} has no four numbers: give x, y, width and height in percent"
                ) from wrong
            found.append((name, (x, y, width, height)))
        return found


@dataclass(frozen=True)
class Boxes:
    """Gold boxes by the item's id, and notes for the user on how they were read."""

    of: dict[str, list[GoldBox]]
    notes: tuple[str, ...] = ()


def read_boxes(path: Path, known: Set[str], labels: Spellings) -> Boxes:
    """Read the table, if the file exists.

    ``known`` holds the ids of items.csv. Raises ValueError with file, line, column and remedy for any fault.
    """
    if not path.exists():
        return Boxes({})
    table = read_table(path, _COLUMNS)
    read = [(row, _box(row, known, labels)) for row in table.rows]
    found, in_fractions = _in_percent(read)
    cells = [(row, row[side]) for row in table.rows for side in _SIDES]
    signed = [(row, cell) for row, cell in cells if cell.endswith(("%", "％"))]
    commas = [(row, cell) for row, cell in cells if "," in cell]
    corrected = ((signed, "percent signs are left off"), (commas, "a comma in a number is its decimal point"))
    notes = [
        *table.notes,
        *(f"{odd[0][0].place}: {text} ({odd[0][1]!r}, {len(odd)} cells)" for odd, text in corrected if odd),
    ]
    if in_fractions:
        notes.append(f"{path.name} has fractions of the picture: they are read as percent, 0.5 as 50")
    of: dict[str, list[GoldBox]] = {}
    for row, box in found:
        numbers = f"{box.x:g} {box.y:g} {box.width:g} {box.height:g}"
        if min(box.width, box.height) <= 0:
            raise row.fault("width and height", f"box {numbers} has no area: give percent of the picture above 0")
        highest = max(box.x + box.width, box.y + box.height)
        if min(box.x, box.y) < -_SLACK or highest > 100 + _SLACK:
            pixels = " (are these pixels?)" if highest > 150 else ""
            wrong = f"box {numbers} leaves the picture{pixels}: give percent of its width and height"
            raise row.fault("x to height", wrong)
        of.setdefault(row["id"], []).append(box)
    return Boxes(of, tuple(notes))


def _box(row: Row, known: Set[str], labels: Spellings) -> GoldBox:
    """Return the row's box with its numbers as they are written. ValueError for a fault in any cell."""
    if row["id"] not in known:
        near = get_close_matches(row["id"], known, 1)
        nearest = f" (the nearest is {near[0]})" if near else ""
        raise row.fault("id", f"id {row['id']} is not in items.csv{nearest}: add its row there or remove this box")
    if not row["label"]:
        raise row.fault("label", "the label is empty: name the element")
    label = labels.of(row["label"])
    if label is None:
        near_label = labels.near(row["label"])
        raise row.fault(
            "label",
            f"no item of items.csv has the label {row['label']!r}"
            + (f" (the nearest is {near_label!r})" if near_label else "")
            + ": write it as there, or add it to the item's labels",
        )
    numbers: list[float] = []
    for side in _SIDES:
        cell = row[side].removesuffix("%").removesuffix("％").rstrip()
        try:
            # A single comma between digits is a decimal comma, as spreadsheets of many countries write it.
            number = float(cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell)
        except ValueError:
            number = nan
        if not isfinite(number):
            raise row.fault(side, f"{side} {row[side]!r} is not a number: give percent of the picture")
        numbers.append(number)
    x, y, width, height = numbers
    box = GoldBox(label, x, y, width, height, row["extra"])
    try:
        box.regions()
    except ValueError as wrong:
        raise row.fault("extra", str(wrong)) from wrong
    return box


def _in_percent(read: Sequence[tuple[Row, GoldBox]]) -> tuple[list[tuple[Row, GoldBox]], bool]:
    """Return the boxes in percent, and whether the table has fractions of the picture.

    No box in percent is so small that all of it lies within the first 1 %. So either all boxes are fractions or none.
    """
    small = [
        row
        for row, box in read
        if not any(row[side].endswith(("%", "％")) for side in _SIDES)
        and max(box.x + box.width, box.y + box.height) <= _FRACTION
    ]
    # Some boxes look like fractions and others do not, so nothing can be decided for all.
    if small and len(small) < len(read):
        raise small[0].fault(
            "x to height", "this box is in fractions of the picture, or too small to be seen: give percent in all rows"
        )
    if not small:
        return list(read), False
    # ``extra`` is always in percent, so a table of fractions must not have any.
    mixed = [row for row, box in read if box.regions()]
    if mixed:
        raise mixed[0].fault("extra", "boxes are fractions, but regions here are percent: give percent in all cells")
    scaled = [
        (row, replace(box, x=100 * box.x, y=100 * box.y, width=100 * box.width, height=100 * box.height))
        for row, box in read
    ]
    return scaled, True

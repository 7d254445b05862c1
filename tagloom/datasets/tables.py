"""Tables that people made: CSV with the separators and the small faults that spreadsheets put into it."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from tagloom.datasets.texts import text_of

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True)
class Row:
    """One row of a table: its cells by column, without spaces around them. ``line`` is where it begins."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell; empty where the table has no such column."""
        return self.cells.get(column, "")

    @property
    def place(self) -> str:
        return f"{self.path}, line {self.line}"

    def fault(self, column: str, wrong: str) -> ValueError:
        """The error to raise for a cell; ``wrong`` says what is wrong and how to mend it."""
        return ValueError(f"{self.place}, column {column}: {wrong}")


@dataclass(frozen=True)
class Table:
    """Rows, and what a person is to know of how they were read."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """The columns of a table. ``prefix`` begins the names of columns that may have any name behind it."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    prefix: str = "\n"

    def name(self, cell: str) -> str:
        """The column that a cell of the header names, in whatever case and width."""
        folded = _folded(cell)
        known = {*self.required, *self.optional}
        return folded if folded in known else trimmed(cell)

    def is_read(self, name: str) -> bool:
        return name in (*self.required, *self.optional) or name.startswith(self.prefix)


def trimmed(text: str) -> str:
    """The text without invisible characters, and without spaces around it."""
    return _INVISIBLE.sub("", text).strip()


def read_table(path: Path, columns: Columns) -> Table:
    """Read a table. Every fault is a ValueError with file, line and remedy."""
    text = text_of(path)
    notes = list(text.notes(path))
    if not text.content.strip():
        raise ValueError(f"{path} is empty: put a table with the columns {', '.join(columns.required)} there")
    separator = separator_of(text.content, columns.required)
    if separator != ",":
        notes.append(f"{path.name} has {SEPARATORS[separator]} between its cells")
    lines = list(_lines(path, text.content, separator))
    (first, header), *rest = lines
    names = [columns.name(cell) for cell in header]
    notes += _checked(f"{path}, line {first}", names, columns)
    return Table(tuple(_row(path, line, names, cells, separator) for line, cells in rest), tuple(notes))


def separator_of(text: str, wanted: Sequence[str]) -> str:
    """What stands between cells: the separator by which the header has most of the columns that are wanted."""
    header = re.split("[\r\n]", text.lstrip(), maxsplit=1)[0]

    def found(separator: str) -> int:
        names = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        return len({_folded(name) for name in names} & set(wanted))

    return max(SEPARATORS, key=found)  # the first of equals: a comma


def _lines(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not empty."""
    # A stray quote would take all rows up to the next one into its cell: `strict` makes that an error.
    source = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        line = source.line_num + 1
        try:
            cells = [trimmed(cell) for cell in next(source)]
        except StopIteration:
            return
        except csv.Error as broken:
            remedy = "put quotes around the whole cell, and two for one within it"
            raise ValueError(f"{path}, line {line}: a cell cannot be read ({broken}): {remedy}") from broken
        if any(cells):
            yield line, cells


def _checked(where: str, names: Sequence[str], columns: Columns) -> Iterator[str]:
    """Raises ValueError for a header that lacks a column or has one twice; yields what it may have meant."""
    twice = [name for place, name in enumerate(names) if name in names[:place] and columns.is_read(name)]
    if twice:
        raise ValueError(f"{where}: column {twice[0]} stands twice: rename or remove one of them")
    others = [name for name in names if name and not columns.is_read(name)]
    for column in columns.required:
        if column not in names:
            near = get_close_matches(column, others, 1, 0.5)
            remedy = (
                f"add it to the header, or rename column {near[0]} if that is it" if near else "add it to the header"
            )
            raise ValueError(f"{where}: column {column} is missing: {remedy}")
    for column in columns.optional:
        near = get_close_matches(column, others, 1, 0.8) if column not in names else []
        if near:
            yield f"{where}: column {near[0]} is not read: name it {column} if that is what it is"


def _row(path: Path, line: int, names: Sequence[str], cells: list[str], separator: str) -> Row:
    if len(cells) < len(names) or any(cells[len(names) :]):
        raise ValueError(
            f"{path}, line {line}: not as many cells as the header has ({len(cells)}, not {len(names)}): put quotes "
            f"around a cell that holds {separator!r}"
        )
    return Row(path, line, dict(zip(names, cells, strict=False)))


def _folded(name: str) -> str:
    return trimmed(unicodedata.normalize("NFKC", name)).casefold()

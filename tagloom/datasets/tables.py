"""Read CSV tables that people made, with the separators and small faults that spreadsheet programs produce."""

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

# Separators of cells → their names in messages, the usual one first.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# Direction marks, zero-width spaces and byte order marks, which copied cells may contain.
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True)
class Row:
    """One row of a table: its cells by column, without spaces around them. ``line`` is its first line in the file."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """Return the cell, or an empty text when the table has no such column."""
        return self.cells.get(column, "")

    @property
    def place(self) -> str:
        return f"{self.path}, line {self.line}"

    def fault(self, column: str, wrong: str) -> ValueError:
        """Return the error to raise for a cell. ``wrong`` says what is wrong and how to correct it."""
        return ValueError(f"{self.place}, column {column}: {wrong}")


@dataclass(frozen=True)
class Table:
    """The rows of a table, and notes for the user on how they were read."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """The columns of a table. Columns whose name begins with ``prefix`` are read too, whatever follows."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    prefix: str = "\n"

    def name(self, cell: str) -> str:
        """Return the column that a cell of the header names, whatever its case and width."""
        folded = _folded(cell)
        known = {*self.required, *self.optional}
        return folded if folded in known else trimmed(cell)

    def is_read(self, name: str) -> bool:
        return name in (*self.required, *self.optional) or name.startswith(self.prefix)


def trimmed(text: str) -> str:
    """Return the text without invisible characters, and without spaces around it."""
    return _INVISIBLE.sub("", text).strip()


def read_table(path: Path, columns: Columns) -> Table:
    """Read a table. Raises ValueError with file, line and remedy for any fault."""
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
    notes += _header_notes(f"{path}, line {first}", names, columns)
    rows = []
    for line, cells in rest:
        # Empty cells after the last column are common in spreadsheets. Others mean that a cell was cut in two.
        if len(cells) < len(names) or any(cells[len(names) :]):
            raise ValueError(
                f"{path}, line {line}: not as many cells as the header has ({len(cells)}, not {len(names)}): put "
                f"quotes around a cell that holds {separator!r}"
            )
        rows.append(Row(path, line, dict(zip(names, cells, strict=False))))
    return Table(tuple(rows), tuple(notes))


def separator_of(text: str, wanted: Sequence[str]) -> str:
    """Return the separator with which the header has the most of the ``wanted`` columns."""
    header = re.split("[\r\n]", text.lstrip(), maxsplit=1)[0]

    def found(separator: str) -> int:
        names = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        return len({_folded(name) for name in names} & set(wanted))

    # When several separators find as many columns, the first one wins: a comma.
    return max(SEPARATORS, key=found)


def _lines(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row that is not empty. ValueError for cells that cannot be read."""
    # A stray quote would join all rows up to the next quote into one cell. `strict` makes that an error.
    source = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        # A cell may contain line breaks, so a row's line is the one after the last line that was read.
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


def _header_notes(where: str, names: Sequence[str], columns: Columns) -> Iterator[str]:
    """Yield a note for each optional column that the header may have misspelt.

    Raises ValueError for a header that lacks a required column or has one twice.
    """
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


def _folded(name: str) -> str:
    return trimmed(unicodedata.normalize("NFKC", name)).casefold()

"""Names of labels that people typed: one label a name, however it is spelled, and several in one cell."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from tagloom.datasets.tables import Row, trimmed

LABELS = "labels"
_BETWEEN = re.compile(r"[|｜,，、;；\r\n\t]")
_PERHAPS = re.compile(r"\s*[/／\\+＋&＆]\s*|\s+")  # between two labels, or within the name of one


def key_of(name: str) -> str:
    """The same for all spellings of a name: in any case and width, with any space."""
    return " ".join(unicodedata.normalize("NFKC", trimmed(name)).casefold().split())


class Spellings:
    """The names of labels. Of several spellings of one the commonest is its name."""

    def __init__(self, typed: Iterable[str]) -> None:
        counts = Counter(typed)
        self._name: dict[str, str] = {}
        for spelling, _ in counts.most_common():
            self._name.setdefault(key_of(spelling), spelling)
        self.others = [spelling for spelling in counts if self._name[key_of(spelling)] != spelling]

    def of(self, typed: str) -> str | None:
        """The name of the label that was typed; None where no label has such a name."""
        return self._name.get(key_of(typed))

    def near(self, typed: str) -> str:
        """The name that is most like what was typed; any where none is like it."""
        keys = list(self._name)
        return self._name[(get_close_matches(key_of(typed), keys, 1) or keys)[0]] if keys else ""

    def notes(self) -> list[str]:
        return [f"label {other!r} is read as {self.of(other)!r}" for other in self.others]


def labels_of(rows: Sequence[Row]) -> tuple[list[tuple[str, ...]], Spellings, list[str]]:
    """The labels of each row, the spellings of all, and what a person is to know of how the cells were read.

    Raises ValueError naming a cell that may hold one label or several.
    """
    parts = [_parts(row[LABELS]) for row in rows]
    alone = {key_of(name) for cell in parts for name in cell}
    shared = Counter(key for name in alone for key in set(_keys_within(name)))
    taken_apart = [_sure(row, cell, alone, shared) for row, cell in zip(rows, parts, strict=True)]
    spellings = Spellings(name for cell in taken_apart for name in cell)
    named = [tuple(dict.fromkeys(spellings.of(name) or name for name in cell)) for cell in taken_apart]
    return named, spellings, [*_notes(rows, taken_apart), *spellings.notes()]


def _parts(cell: str) -> list[str]:
    return [name for part in _BETWEEN.split(cell) if (name := " ".join(trimmed(part).split()))]


def _keys_within(name: str) -> list[str]:
    """The keys of the names that a name may be made of; none where it is surely one name."""
    within = [key_of(part) for part in _PERHAPS.split(name) if part]
    return within if len(within) > 1 else []


def _signs(name: str) -> list[str]:
    """Signs other than spaces that may stand between labels."""
    return [sign for sign in _PERHAPS.findall(name) if sign.strip()]


def _sure(row: Row, cell: list[str], alone: set[str], shared: Counter[str]) -> list[str]:
    """The cell's labels. ``alone`` are all names; ``shared`` counts those that a name may be made of.

    `主体/LOGO` is two labels where both are labels of their own; one where its parts stand nowhere else.
    """
    found: list[str] = []
    for name in cell:
        within = _keys_within(name)
        signs = _signs(name)
        if within and signs and alone.issuperset(within):
            found += [part for part in _PERHAPS.split(name) if part]
        elif (within and alone.issuperset(within)) or (signs and any(k in alone or shared[k] > 1 for k in within)):
            raise row.fault(LABELS, f"{name!r} may be one label or several: put | between labels, or rename the label")
        else:
            found.append(name)
    return found


def _notes(rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Cells that had other signs than ``|`` between their labels, and labels that hold such a sign; each told once."""
    pairs = zip(rows, cells, strict=True)
    odd = [(row, names) for row, names in pairs if names and not _by_bars(row[LABELS], len(names))]
    if odd:
        row, names = odd[0]
        more = f", and so {'are' if odd[2:] else 'is'} {len(odd) - 1} more" if odd[1:] else ""
        yield f"{row.place}: {row[LABELS]!r} is read as {'|'.join(names)}{more}"
    for name in sorted({name for names in cells for name in names if _signs(name)}):
        yield f"label {name!r} is read as one label: put | where several are meant"


def _by_bars(cell: str, labels: int) -> bool:
    """Whether nothing but ``|`` stands between the labels of a cell."""
    return not set(_BETWEEN.findall(cell)) - {"|"} and labels <= cell.count("|") + 1

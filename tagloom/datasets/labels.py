"""Read names of labels as people type them: in several spellings, and several in one cell."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from tagloom.datasets.tables import Row, trimmed

LABELS = "labels"
# These signs always separate labels.
_BETWEEN = re.compile(r"[|｜,，、;；\r\n\t]")
# These signs may stand between two labels, or inside the name of one label.
_PERHAPS = re.compile(r"\s*[/／\\+＋&＆]\s*|\s+")


def key_of(name: str) -> str:
    """Return a key that is equal for all spellings of a name, whatever their case, width and spaces."""
    return " ".join(unicodedata.normalize("NFKC", trimmed(name)).casefold().split())


class Spellings:
    """The names of labels. The most frequent spelling of a label is its name; ``others`` holds the other spellings."""

    def __init__(self, typed: Iterable[str]) -> None:
        counts = Counter(typed)
        # The most frequent spelling comes first and gives the label its name.
        self._name: dict[str, str] = {}
        for spelling, _ in counts.most_common():
            self._name.setdefault(key_of(spelling), spelling)
        self.others = [spelling for spelling in counts if self._name[key_of(spelling)] != spelling]

    def of(self, typed: str) -> str | None:
        """Return the name of the label that was typed, or None when no label has such a name."""
        return self._name.get(key_of(typed))

    def near(self, typed: str) -> str:
        """Return the name most similar to what was typed, or any name when none is similar."""
        keys = list(self._name)
        return self._name[(get_close_matches(key_of(typed), keys, 1) or keys)[0]] if keys else ""

    def notes(self) -> list[str]:
        return [f"label {other!r} is read as {self.of(other)!r}" for other in self.others]


def labels_of(rows: Sequence[Row]) -> tuple[list[tuple[str, ...]], Spellings, list[str]]:
    """Return the labels of each row, the spellings of all labels, and notes for the user on how the cells were read.

    Raises ValueError, which names the cell, when a cell may hold one label or several.
    """
    parts = [
        [name for part in _BETWEEN.split(row[LABELS]) if (name := " ".join(trimmed(part).split()))] for row in rows
    ]
    # The keys of all names, and for each part of a name the number of names that contain it.
    alone = {key_of(name) for cell in parts for name in cell}
    shared = Counter(key for name in alone for key in set(_keys_within(name)))
    separated: list[list[str]] = []
    for row, cell in zip(rows, parts, strict=True):
        found: list[str] = []
        for name in cell:
            within, signs = _keys_within(name), _signs(name)
            # `主体/LOGO` is two labels if both parts are labels in other cells, and one label if its parts occur
            # nowhere else. The user has to decide all cases in between.
            if within and signs and alone.issuperset(within):
                found += [part for part in _PERHAPS.split(name) if part]
            elif (within and alone.issuperset(within)) or (signs and any(k in alone or shared[k] > 1 for k in within)):
                wrong = f"{name!r} may be one label or several: put | between labels, or rename the label"
                raise row.fault(LABELS, wrong)
            else:
                found.append(name)
        separated.append(found)
    spellings = Spellings(name for cell in separated for name in cell)
    named = [tuple(dict.fromkeys(spellings.of(name) or name for name in cell)) for cell in separated]
    return named, spellings, [*_notes(rows, separated), *spellings.notes()]


def _keys_within(name: str) -> list[str]:
    """Return the keys of the parts of a name that may be several labels, or nothing for a name of one part."""
    within = [key_of(part) for part in _PERHAPS.split(name) if part]
    return within if len(within) > 1 else []


def _signs(name: str) -> list[str]:
    """Return the signs in a name, other than spaces, that may separate labels."""
    return [sign for sign in _PERHAPS.findall(name) if sign.strip()]


def _notes(rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield one note on cells with other separators than ``|``, and one for each label that contains such a sign."""
    odd = []
    for row, names in zip(rows, cells, strict=True):
        only_bars = not set(_BETWEEN.findall(row[LABELS])) - {"|"} and len(names) <= row[LABELS].count("|") + 1
        if names and not only_bars:
            odd.append((row, names))
    if odd:
        row, names = odd[0]
        more = f", and so {'are' if odd[2:] else 'is'} {len(odd) - 1} more" if odd[1:] else ""
        yield f"{row.place}: {row[LABELS]!r} is read as {'|'.join(names)}{more}"
    for name in sorted({name for names in cells for name in names if _signs(name)}):
        yield f"label {name!r} is read as one label: put | where several are meant"

"""The vocabulary of a network: industry values by level, and names of further text fields.

The network has parameters for each entry. A vocabulary only grows, and at its end, so that a row keeps its meaning from
version to version.

Shape suffixes: V industry values, X text fields.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model.features.item import ItemFeatures

# The row of a value that is not in the vocabulary.
UNSEEN = -1


@dataclass(frozen=True)
class Vocabulary:
    """Industry values as ``level:value``, so that one name on two levels is two values, and names of text fields.

    Example::

        vocabulary = Vocabulary().grown(items)
        rows = vocabulary.rows(("家电", "水壶"))
    """

    industries: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, stored: Mapping[str, Sequence[str]]) -> "Vocabulary":
        """Make the vocabulary again from what ``dataclasses.asdict`` returned, also if it was stored as JSON."""
        return cls(tuple(stored["industries"]), tuple(stored["fields"]))

    def grown(self, items: Sequence[ItemFeatures]) -> "Vocabulary":
        """Return the vocabulary with the new values and fields of these items added at the end, sorted by name."""
        values = {name for item in items for name in _levels(item.industry)}
        fields = {name for item in items for name, text in item.texts.items() if text.strip()}
        return Vocabulary(_appended(self.industries, values), _appended(self.fields, fields))

    def rows(self, path: Sequence[str]) -> list[int]:
        """Return the row of each level's value; ``UNSEEN`` for a value that is not in the vocabulary."""
        return [self._row_of.get(name, UNSEEN) for name in _levels(path)]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.industries)}


def _levels(path: Sequence[str]) -> list[str]:
    return [f"{level}:{value}" for level, value in enumerate(path)]


def _appended(known: tuple[str, ...], found: Iterable[str]) -> tuple[str, ...]:
    return (*known, *sorted(set(found) - set(known)))

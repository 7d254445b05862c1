"""What a network has rows for: industry values by level, and names of further text fields.

A vocabulary only grows, and at its end, so that a row keeps its meaning from version to version.

Shape suffixes: V industry values, X text fields.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model.features.item import ItemFeatures

UNSEEN = -1


@dataclass(frozen=True)
class Vocabulary:
    """``industries`` are ``level:value``, so that a name on two levels is two values."""

    industries: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, stored: Mapping[str, Sequence[str]]) -> "Vocabulary":
        """Back from ``dataclasses.asdict``, also by way of JSON, which has no tuples."""
        return cls(tuple(stored["industries"]), tuple(stored["fields"]))

    def grown(self, items: Sequence[ItemFeatures]) -> "Vocabulary":
        """With the values and fields of these items behind the known ones, in alphabetical order."""
        values = {name for item in items for name in _levels(item.industry)}
        fields = {name for item in items for name, text in item.texts.items() if text.strip()}
        return Vocabulary(_appended(self.industries, values), _appended(self.fields, fields))

    def rows(self, path: Sequence[str]) -> list[int]:
        """The row of each level's value; ``UNSEEN`` for a value that the vocabulary lacks."""
        return [self._place.get(name, UNSEEN) for name in _levels(path)]

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.industries)}


def _levels(path: Sequence[str]) -> list[str]:
    return [f"{level}:{value}" for level, value in enumerate(path)]


def _appended(known: tuple[str, ...], found: Iterable[str]) -> tuple[str, ...]:
    return (*known, *sorted(set(found) - set(known)))

"""Regions: the entries of a Label Studio ``result`` list, as plain JSON objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from model.items import Box

Region: TypeAlias = dict[str, Any]

NO_VALUE = "a region without a value"
UNKNOWN_NAME = "a label that the labelling config does not have"
NO_LABEL = "a region without a label"
NO_PLACE = "a region without usable coordinates"


@dataclass(frozen=True)
class Reading:
    """What one region says: the model's labels that it names, and the box around what it marks (None: no place).

    ``problem`` names what of the region was not understood; it is empty when all of it was.
    """

    labels: frozenset[str]
    box: Box | None = None
    problem: str = ""


def names_in(value: Mapping[str, Any], key: str) -> list[str]:
    """The label names under ``value[key]``, in order; anything that is no string is passed over."""
    return [name for name in _flat(value.get(key)) if isinstance(name, str)]


def labels_in(value: Mapping[str, Any], key: str, labels: Mapping[str, str]) -> tuple[frozenset[str], str]:
    """The model's labels that ``value[key]`` names, and what of it was not understood (empty: nothing).

    ``labels`` maps a control's names to the model's labels. A nested choice is a path of names: each of its names is
    chosen, but of the names above the last one only those that are labels count.
    """
    listed = value.get(key)
    entries = listed if isinstance(listed, list) else [listed]
    found: set[str] = set()
    problem = ""
    for entry in entries:
        path = list(_flat(entry))
        if not path or not isinstance(path[-1], str) or path[-1] not in labels:
            problem = UNKNOWN_NAME
        found |= {labels[name] for name in path if isinstance(name, str) and name in labels}
    return frozenset(found), problem


def _flat(entry: object) -> Iterator[object]:
    """The names of a choice: itself, or those of its path."""
    if not isinstance(entry, list):
        yield entry
        return
    for part in entry:
        if isinstance(part, list):
            yield from part  # two levels are all that Label Studio writes
        else:
            yield part

"""Read regions: the entries of a Label Studio ``result`` list, which are plain JSON objects."""

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
    """The content of one region: the model's labels that it names, and the box around the marked part of the picture.

    ``box`` is None when the region has no usable coordinates. ``problem`` describes the part of the region that was not
    understood; it is empty when the whole region was understood.
    """

    labels: frozenset[str]
    box: Box | None = None
    problem: str = ""


def names_in(value: Mapping[str, Any], key: str) -> list[str]:
    """Return the label names under ``value[key]``, in order, without entries that are not strings."""
    return [name for name in _flat(value.get(key)) if isinstance(name, str)]


def labels_in(value: Mapping[str, Any], key: str, labels: Mapping[str, str]) -> tuple[frozenset[str], str]:
    """Return the model's labels that ``value[key]`` names, and a problem (empty when all names were understood).

    ``labels`` maps a control's names to the model's labels. A nested choice is a path of names from the outermost to
    the chosen one. The last name must be a label; names above it count only if they are labels too.
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
    """Yield the entry itself, or the names on the path if the entry is a list."""
    if not isinstance(entry, list):
        yield entry
        return
    for part in entry:
        # Label Studio nests lists at most two levels deep.
        if isinstance(part, list):
            yield from part
        else:
            yield part

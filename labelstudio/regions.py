"""Regions: the entries of a Label Studio ``result`` list, as plain JSON objects."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

Region: TypeAlias = dict[str, Any]


def of_control(result: Any, name: str, kind: str) -> Iterator[Mapping[str, Any]]:
    """One control's regions that have a ``value`` object. Entries of another shape are passed over, never an error."""
    for region in result if isinstance(result, list) else []:
        if not isinstance(region, dict) or region.get("from_name") != name or region.get("type") != kind:
            continue
        value = region.get("value")
        if isinstance(value, dict):
            yield {**region, "value": value}


def names_in(value: Mapping[str, Any], key: str) -> list[str]:
    """The label names under ``value[key]``, in order; anything that is no string is passed over."""
    names = value.get(key)
    listed: Iterable[Any] = names if isinstance(names, list) else [names]
    return [name for name in listed if isinstance(name, str)]

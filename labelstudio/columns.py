"""The columns that Tagloom fills in Label Studio's Data Manager: keys of the tasks' data that are its own.

Label Studio shows each key of the data as a column by which people filter and sort. Nothing of them is data to
Tagloom: it neither stores nor reads them, so that what it writes never changes what it is asked.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Value = float | str

CONFIDENCE = "tagloom_confidence"
"""The probability that all labels of the served version are right, with two decimals; 0 if Tagloom has no answer."""

CHANGED = "tagloom_changed"
"""``yes`` if labels or boxes differ from those of the version before."""

DOUBTFUL = "tagloom_doubtful"
"""``yes`` if a label that people gave is doubtful."""

LOOK_ALIKES = "tagloom_look_alikes"
"""The lowest id of a group of tasks that look alike; empty for a task that is alone."""

ORDER = "tagloom_order"
"""Of tasks without annotation: which are best labelled next. ``001`` is first, and a number is shared by some tasks."""

NO_TURN = "999"
"""The order of a task that had a number and has none any more. It sorts behind all numbers."""

_WRITTEN: Mapping[str, Callable[[Any], bool]] = {
    CONFIDENCE: lambda held: isinstance(held, int | float) and not isinstance(held, bool) and 0 <= held <= 1,
    CHANGED: lambda held: held in ("yes", ""),
    DOUBTFUL: lambda held: held in ("yes", ""),
    LOOK_ALIKES: lambda held: isinstance(held, str) and re.fullmatch(r"[0-9]*", held) is not None,
    ORDER: lambda held: isinstance(held, str) and re.fullmatch(r"[0-9]{3}", held) is not None,
}
# What stands for no value, where there was one: Label Studio cannot take a key away from many tasks at once.
_NOTHING: Mapping[str, Value] = {CONFIDENCE: 0.0, CHANGED: "", DOUBTFUL: "", LOOK_ALIKES: "", ORDER: NO_TURN}

NAMES = tuple(_WRITTEN)


def is_ours(name: str, data: Mapping[str, Any]) -> bool:
    """Return whether a column may be written into a task's data: it is absent, or holds what Tagloom writes there."""
    return name not in data or _WRITTEN[name](data[name])


def differing(data: Mapping[str, Any], wanted: Mapping[str, Value]) -> dict[str, Value]:
    """Return what must be written so that the columns in a task's data say what is wanted.

    Nothing is written for a column that is not wanted and absent, or that people have filled themselves.
    """
    full = {name: wanted.get(name, _NOTHING[name]) for name in NAMES if name in wanted or name in data}
    return {name: value for name, value in full.items() if is_ours(name, data) and data.get(name) != value}


def without_columns(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's data without the columns that Tagloom has filled."""
    return {key: value for key, value in data.items() if key not in _WRITTEN or not _WRITTEN[key](value)}

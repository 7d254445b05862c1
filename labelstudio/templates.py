"""The ``value`` of an object tag, filled in as by Label Studio's editor: a key of task data or a text around keys."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# As in the editor, where a letter is one of ASCII's.
_VARIABLE = re.compile(r"\$([\w\[\].{}]+)", re.ASCII)
# A value that is one key alone may hold any letters and hyphens.
_ALONE = re.compile(r"\$([\w\[\].{}-]+)")
_MOST_LISTS = 20  # lists within lists that are looked through


def keys_in(template: str) -> tuple[str, ...]:
    """Return the keys of the task data that a value names, in order."""
    alone = _ALONE.fullmatch(template)
    return (alone[1],) if alone else tuple(_VARIABLE.findall(template))


def filled(template: str, look_up: Callable[[str], Any]) -> Any:
    """Return the data under a key if the value is a key alone, else the text with data in the place of each key.

    The result is None if data are missing, and a text is None too if data are no text, number or list of these: the
    editor then shows no picture.
    """
    alone, keys = _ALONE.fullmatch(template), _VARIABLE.findall(template)
    # The editor reads $image-large as $image with a text behind it. Data under the whole key come first.
    if alone and ((found := look_up(alone[1])) is not None or keys == [alone[1]]):
        return found
    parts = [_text(look_up(key)) for key in keys]
    if not parts or any(part is None for part in parts):
        return None
    left = iter(parts)
    return _VARIABLE.sub(lambda _: str(next(left)), template)


def _text(value: Any, depth: int = 0) -> str | None:
    """Return a value as JavaScript writes it into a text; None for what is of no use in an address."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        with suppress(ValueError):  # Python does not convert integers of more than 4,300 digits
            return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
    if isinstance(value, list) and depth < _MOST_LISTS:
        parts = [_text(entry, depth + 1) for entry in value]
        return None if None in parts else ",".join(part for part in parts if part is not None)
    return None

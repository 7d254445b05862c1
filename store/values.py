"""Convert values to a form that every supported database can store and every job can read again."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

LOG = logging.getLogger(__name__)

DEPTH = 100  # levels of lists and objects; Python's JSON reader fails at about 900, earlier deep inside other calls
LOGGED_TEXT = 1_000  # characters of one text in the event log
LOGGED_ENTRIES = 100  # entries of one list or object in the event log
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MICROSECOND = timedelta(microseconds=1)
EARLIEST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
LATEST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def storable(text: str) -> str:
    """Return the text with U+FFFD in place of NUL and lone surrogates, which JSON can hold but databases refuse."""
    return _UNSTORABLE.sub("\ufffd", text)


def is_deep(value: object) -> bool:
    """Return whether lists and objects are nested deeper than DEPTH."""
    # Level by level, because recursion could itself exceed Python's limit.
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH):
        inner = (entry for outer in level for entry in (outer.values() if isinstance(outer, dict) else outer))
        level = [entry for entry in inner if type(entry) in (dict, list)]
        if not level:
            return False
    return True


def microseconds_of(stamp: object) -> int:
    """Return an ISO date as microseconds since 1970, within the years 1 to 9999 of UTC. Raises ValueError."""
    moment = datetime.fromisoformat(str(stamp))
    elapsed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return within_calendar(elapsed // _MICROSECOND)


def within_calendar(microseconds: int) -> int:
    """Return the nearest stamp within the years 1 to 9999; a date with a time zone can lie outside of them."""
    return min(max(microseconds, EARLIEST_US), LATEST_US)


def iso_of(microseconds: int) -> str:
    """Return the date of a stamp in microseconds. All dates have the same width, so text order is time order."""
    moment = EPOCH + within_calendar(microseconds) * _MICROSECOND
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def shortened(value: Any) -> Any:
    """Return the value with long texts, lists and objects cut, so that the event log holds no pictures inside of tasks.

    The value must not be nested deeper than DEPTH.
    """
    if isinstance(value, str):
        return value if len(value) <= LOGGED_TEXT else f"{value[:LOGGED_TEXT]}… ({len(value)} characters)"
    if isinstance(value, dict):
        kept = list(value.items())[:LOGGED_ENTRIES]
        return {shortened(name): shortened(inner) for name, inner in kept} | _left_out(len(value))
    if isinstance(value, list):
        return [shortened(inner) for inner in value[:LOGGED_ENTRIES]] + list(_left_out(len(value)))
    return value


def _left_out(count: int) -> dict[str, bool]:
    """Return an entry that names the full number of entries if some are cut."""
    return {f"… ({count} entries)": True} if count > LOGGED_ENTRIES else {}


def read_rows(rows: Iterator[tuple[int, str]], what: str) -> Iterator[tuple[int, Any]]:
    """Yield ids with their decoded JSON. A row that cannot be decoded is logged as an error and left out.

    ``what`` names the kind of row in the log.
    """
    for number, text in rows:
        try:
            yield number, json.loads(text)
        except (ValueError, RecursionError) as error:
            LOG.error("%s %d in the store cannot be read and is left out: %s", what, number, type(error).__name__)

"""Which values the store takes: only what every database holds and every job can read again."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

LOG = logging.getLogger(__name__)

DEPTH = 100  # levels of lists and objects; Python reads about 900, less the deeper it is called
LOGGED_TEXT = 1_000  # characters of one text in the event log
LOGGED_ENTRIES = 100  # of one list in the event log
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MICROSECOND = timedelta(microseconds=1)
EARLIEST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
LATEST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def storable(text: str) -> str:
    """Text that every database takes: with U+FFFD for NUL and lone surrogates (JSON can carry both)."""
    return _UNSTORABLE.sub("\ufffd", text)


def is_deep(value: object) -> bool:
    """Whether lists and objects are nested deeper than DEPTH. Looks at each value once, and never calls itself."""
    level = [value]
    for _ in range(DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if type(inner) in (dict, list)]
        if not level:
            return False
    return True


def _inside(value: object) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def microseconds_of(stamp: object) -> int:
    """An ISO date as microseconds since 1970, within the years 1 to 9999 of UTC; ValueError for what is none."""
    moment = datetime.fromisoformat(str(stamp))
    elapsed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return within_calendar(elapsed // _MICROSECOND)


def within_calendar(microseconds: int) -> int:
    """The nearest moment that a date can be written for: an offset can carry a stamp out of the calendar."""
    return min(max(microseconds, EARLIEST_US), LATEST_US)


def iso_of(microseconds: int) -> str:
    """The date of such a stamp, of one width, so that text order is time order."""
    moment = EPOCH + within_calendar(microseconds) * _MICROSECOND
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def shortened(value: Any) -> Any:
    """The same with long texts and long lists cut, for the event log: a picture in a task is not kept with each event.

    The value is not deeper than DEPTH.
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
    return {f"… ({count} entries)": True} if count > LOGGED_ENTRIES else {}


def read_rows(rows: Iterator[tuple[int, str]], what: str) -> Iterator[tuple[int, Any]]:
    """Ids with their JSON, read; what cannot be read is left out with a word in the log, and hides no other."""
    for number, text in rows:
        try:
            yield number, json.loads(text)
        except (ValueError, RecursionError) as error:
            LOG.error("%s %d in the store cannot be read and is left out: %s", what, number, type(error).__name__)

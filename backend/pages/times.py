"""Times and durations in words, in the language of the reader."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property

from babel.dates import format_timedelta


class Times:
    """Says times by a clock that is read once, at the first use."""

    def __init__(self, language: str, clock: Callable[[], float]) -> None:
        self._language = language
        self._clock = clock

    @cached_property
    def now(self) -> float:
        """The time at which the page is made, in unix seconds."""
        return self._clock()

    def ago(self, at: float) -> str:
        """Return how long ago a time was: "3 minutes ago"."""
        past = timedelta(seconds=min(at - self.now, -1.0))
        return format_timedelta(past, add_direction=True, locale=self._language)

    def long(self, seconds: float) -> str:
        """Return a duration: "3 minutes"."""
        return format_timedelta(timedelta(seconds=max(seconds, 1.0)), locale=self._language)

    def exact(self, at: float) -> str:
        """Return a time of the day, in UTC as in `tagloom versions`."""
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

    def iso(self, at: float) -> str:
        """Return a time as HTML's ``datetime`` attribute wants it."""
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")

"""Regular expressions of a lexicon, with limits on the text and on the time of each search.

Users write the expressions and sellers write the texts, so that some search may take a very long time.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import regex  # type: ignore[import-untyped]

LOG = logging.getLogger(__name__)

LONGEST = 1_000
"""Characters of a title or a read text that are searched; the rest is ignored."""
SECONDS = 0.5
"""Limit of the time of one search. Most searches take microseconds."""

Found = TypeVar("Found")


class Pattern:
    """A regular expression that ignores case.

    A pattern that exceeds the time limit once is logged and never searched again: it then matches nothing. ``owner`` is
    the name of its cue or kind, for messages. Raises ValueError if the expression is not a regular expression.

        Pattern("free|gift", "gift announced").is_in("Free delivery")    # True
    """

    def __init__(self, expression: str, owner: str) -> None:
        self._owner = owner
        self._is_slow = False
        try:
            self._compiled = regex.compile(expression, regex.IGNORECASE)
        except (regex.error, RecursionError) as error:
            raise ValueError(f"{owner!r} in the lexicon: {expression!r} is no regular expression: {error}") from error

    def check(self) -> None:
        """Raise ValueError if the expression takes too long on a text that repeats one of its own characters."""
        expression = self._compiled.pattern
        # Each text ends with the expression itself. The engine stops at once if a text lacks a letter that a match
        # needs, so that it would never reach the slow part of the expression.
        for character in dict.fromkeys(expression + "a1 中"):
            self.is_in(f"{character * (LONGEST - 1 - len(expression))}\n{expression}")
        if self._is_slow:
            raise ValueError(self._advice())

    def is_in(self, text: str) -> bool:
        """Return whether a part of the text matches."""
        return self._within(lambda: self._compiled.search(text[:LONGEST], timeout=SECONDS) is not None, False)

    def is_all_of(self, text: str) -> bool:
        """Return whether the whole text matches."""
        return self._within(lambda: self._compiled.fullmatch(text[:LONGEST], timeout=SECONDS) is not None, False)

    def taken_out_of(self, text: str) -> str:
        """Return the text without its matches."""
        return self._within(lambda: str(self._compiled.sub("", text[:LONGEST], timeout=SECONDS)), text)

    def _within(self, look: Callable[[], Found], otherwise: Found) -> Found:
        """Return the result of a search, or ``otherwise`` if this or an earlier search took too long."""
        if self._is_slow:
            return otherwise
        try:
            return look()
        except TimeoutError:
            self._is_slow = True
            LOG.error("%s: it is passed over from now on", self._advice())
            return otherwise

    def _advice(self) -> str:
        return (
            f"{self._owner!r} in the lexicon: {self._compiled.pattern!r} takes over {SECONDS:g} s on some texts; "
            "write it without a repetition inside a repetition: a+b for (a+)+b, .{0,20} for .*"
        )

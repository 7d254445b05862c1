"""Regular expressions of a lexicon, which anybody may write, on texts that anybody may write: both are bounded."""

import logging
from collections.abc import Callable
from typing import TypeVar

import regex  # type: ignore[import-untyped]

LOG = logging.getLogger(__name__)

LONGEST = 1_000  # characters of a title or a read text that patterns see
SECONDS = 0.5  # of processor time for one look; usual ones take microseconds

Found = TypeVar("Found")


class Pattern:
    """One expression, without case. If it once takes too long it says nothing any more, and the log says so.

    Made with ValueError for what is no regular expression. ``owner`` is the cue or kind, for messages.
    """

    def __init__(self, expression: str, owner: str) -> None:
        self._owner = owner
        self._is_slow = False
        try:
            self._compiled = regex.compile(expression, regex.IGNORECASE)
        except (regex.error, RecursionError) as error:
            raise ValueError(f"{owner!r} in the lexicon: {expression!r} is no regular expression: {error}") from error

    def check(self) -> None:
        """ValueError if it takes too long on a text that repeats one of its own characters.

        The expression itself stands behind, on a line of its own: engines give up at once where a needed letter is not.
        """
        expression = self._compiled.pattern
        for character in dict.fromkeys(expression + "a1 中"):
            self.is_in(f"{character * (LONGEST - 1 - len(expression))}\n{expression}")
        if self._is_slow:
            raise ValueError(self._advice())

    def is_in(self, text: str) -> bool:
        return self._within(lambda: self._compiled.search(text[:LONGEST], timeout=SECONDS) is not None, False)

    def is_all_of(self, text: str) -> bool:
        return self._within(lambda: self._compiled.fullmatch(text[:LONGEST], timeout=SECONDS) is not None, False)

    def taken_out_of(self, text: str) -> str:
        return self._within(lambda: str(self._compiled.sub("", text[:LONGEST], timeout=SECONDS)), text)

    def _within(self, look: Callable[[], Found], otherwise: Found) -> Found:
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

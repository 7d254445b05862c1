"""The clock that decides when work is due. Only tests move it forward or back.

Code that only measures a duration reads `time.monotonic` itself.
"""

import time


class _Clock:
    """Seconds by which this process's clock is ahead of the system's."""

    ahead = 0.0


def now() -> float:
    """Return the unix seconds."""
    return time.time() + _Clock.ahead


def monotonic() -> float:
    """Return the seconds of a clock that is never set back."""
    return time.monotonic() + _Clock.ahead


def ahead() -> float:
    """Return the seconds by which tests have moved this process's clock forward; 0 outside of tests."""
    return _Clock.ahead


def move(seconds: float) -> None:
    """Move the clock forward by some seconds, or back by a negative number. For tests."""
    _Clock.ahead += seconds

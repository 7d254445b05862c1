"""The time by which something is due. Tests move it on; nothing else does.

What only measures how long something took reads `time.monotonic` itself.
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
    """Return by how many seconds this process's clock was moved on; 0 outside of tests."""
    return _Clock.ahead


def move(seconds: float) -> None:
    """Move the clock on, or back by a negative number. For tests."""
    _Clock.ahead += seconds

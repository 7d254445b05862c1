"""Wait for a condition instead of for time to pass."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float = 60, every: float = 0.02) -> None:
    """Check the condition every ``every`` seconds until it is true. AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {seconds:g} s"
        time.sleep(every)

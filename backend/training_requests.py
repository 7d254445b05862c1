"""Limit how often a project may request training. A request beyond the cap per minute starts no training."""

import threading
from collections import deque

from labelstudio.kept import Kept
from tagloom_base import clock

MOST = 10_000  # projects that are remembered


class TrainingRequests:
    """A sliding window of one minute for each project. Threads may share it."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._seen: Kept[str, deque[float]] = Kept(MOST, MOST)
        self._lock = threading.Lock()

    def allow(self, project: str) -> bool:
        """Return whether a request now is within the cap. Refused requests do not count against it."""
        now = clock.monotonic()
        with self._lock:
            seen = self._seen.made(project, 1, deque)
            while seen and seen[0] < now - 60:
                seen.popleft()
            if len(seen) >= self._per_minute:
                return False
            seen.append(now)
            return True

"""How often a project may ask for training: a cap per minute, beyond which requests join the one that waits."""

import threading
import time
from collections import deque

from labelstudio.kept import Kept

MOST = 10_000  # projects that are remembered


class TrainingRequests:
    """Sliding window of one minute per project."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._seen: Kept[str, deque[float]] = Kept(MOST, MOST)
        self._lock = threading.Lock()

    def allow(self, project: str) -> bool:
        """Whether this request is within the cap; it counts only if it is."""
        now = time.monotonic()
        with self._lock:
            seen = self._seen.made(project, 1, deque)
            while seen and seen[0] < now - 60:
                seen.popleft()
            if len(seen) >= self._per_minute:
                return False
            seen.append(now)
            return True

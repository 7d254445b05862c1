"""Limit how often one address may fail to sign in, so that nobody can try tokens, or keep Label Studio busy."""

import threading
from collections import deque

from labelstudio.kept import Kept
from tagloom_base import clock

MOST = 10  # failures that one address may have
WINDOW_S = 600.0
ADDRESSES = 10_000  # that are remembered


class Failures:
    """Failed attempts by address in the last minutes, of this process. Threads may share it."""

    def __init__(self) -> None:
        self._seen: Kept[str, deque[float]] = Kept(ADDRESSES, ADDRESSES)
        self._lock = threading.Lock()

    def begin(self, address: str) -> bool:
        """Count an attempt as failed for now; return False, and count nothing, where too many have failed."""
        now = clock.monotonic()
        with self._lock:
            seen = self._seen.made(address, 1, deque)
            while seen and seen[0] < now - WINDOW_S:
                seen.popleft()
            if len(seen) >= MOST:
                return False
            seen.append(now)
            return True

    def take_back(self, address: str) -> None:
        """Forget the attempt that was counted last: nobody could say whether the token was right."""
        with self._lock:
            if seen := self._seen.get(address):
                seen.pop()

    def succeed(self, address: str) -> None:
        """Forget the failures of an address: somebody there has a valid token."""
        self._seen.drop(address)

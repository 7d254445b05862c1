"""An in-memory cache (least recently used) with limits on the number of entries and on their total weight."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """A cache of at most ``most`` values whose weights add up to at most ``weight``. Thread-safe.

    A value that alone exceeds the total weight is not kept, and its insertion empties the cache.
    """

    def __init__(self, most: int, weight: int) -> None:
        self._most = most
        self._weight = weight
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return a value and mark it as used; None if it is not kept."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Key, value: Value, weight: int) -> None:
        """Keep a value, and drop the values that were used longest ago until both limits hold."""
        with self._lock:
            self._total += weight - self._entries.pop(key, (value, 0))[1]
            self._entries[key] = (value, weight)
            while self._total > self._weight or len(self._entries) > self._most:
                _, (_, left) = self._entries.popitem(last=False)
                self._total -= left

    def drop(self, key: Key) -> None:
        """Remove a value; a key that is not kept is ignored."""
        with self._lock:
            _, weight = self._entries.pop(key, (None, 0))
            self._total -= weight

    def made(self, key: Key, weight: int, make: Callable[[], Value]) -> Value:
        """Return the value of a key. If it is not kept, ``make`` creates it; two threads may both call ``make``."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value, weight)
        return value

"""What is kept in memory of things that come from outside: the last used, up to a number and to a weight of all."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """The last used values; one that weighs more than all may is not kept. Threads may share it."""

    def __init__(self, most: int, weight: int) -> None:
        self._most = most
        self._weight = weight
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Key, value: Value, weight: int) -> None:
        with self._lock:
            self._total += weight - self._entries.pop(key, (value, 0))[1]
            self._entries[key] = (value, weight)
            while self._total > self._weight or len(self._entries) > self._most:
                _, (_, left) = self._entries.popitem(last=False)
                self._total -= left

    def drop(self, key: Key) -> None:
        with self._lock:
            _, weight = self._entries.pop(key, (None, 0))
            self._total -= weight

    def made(self, key: Key, weight: int, make: Callable[[], Value]) -> Value:
        """The value of a key, made now if it is not kept."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value, weight)
        return value

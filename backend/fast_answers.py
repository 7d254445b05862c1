"""Which tasks got a fast answer under which version, so that each gets one at most."""

import threading
from collections import OrderedDict

CAPACITY = 200_000
SUFFIX = "+fast"


class FastAnswers:
    """Remembers (project, task, version); the oldest leave when there are too many."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._given: OrderedDict[tuple[str, int, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def first(self, project: str, task: int, version: str) -> bool:
        """Whether this is the task's first fast answer under the version; from now on it has had it."""
        key = (project, task, version)
        with self._lock:
            if key in self._given:
                return False
            self._given[key] = None
            if len(self._given) > self._capacity:
                self._given.popitem(last=False)
            return True

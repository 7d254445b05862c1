"""Fair shares: what waits is taken by project in turn, and no project holds more than its share of the threads."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Entry = TypeVar("Entry")
Out = TypeVar("Out")


class Turns(Generic[Entry]):
    """What waits, by project: the projects have their turns, what one of them sent stays in order.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Entry]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, project: str, entry: Entry) -> None:
        self._waiting.setdefault(project, deque()).append(entry)

    def take(self, may: Callable[[str, Entry], bool] = lambda _project, _entry: True) -> tuple[str, Entry] | None:
        """The first entry of the first project whose first entry ``may`` be taken; then the project is the last one."""
        for project, entries in self._waiting.items():
            if may(project, entries[0]):
                entry = entries.popleft()
                del self._waiting[project]
                if entries:
                    self._waiting[project] = entries
                return project, entry
        return None


class FairPool:
    """Threads that projects share. Each has its turn, and holds at most ``share`` of them at a time."""

    def __init__(self, threads: int, share: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads
        self._share = share
        self._held: Counter[str] = Counter()
        self._waiting: Turns[tuple[Future[Any], Callable[[], Any]]] = Turns()
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, project: str, work: Callable[[], Out]) -> "Future[Out]":
        """Do the work when it is the project's turn. RuntimeError when the pool is closed."""
        future: Future[Out] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("these threads take no more work: the process ends")
            self._waiting.put(project, (future, work))
            self._start()
        return future

    def close(self, *, wait: bool) -> None:
        """Begin nothing more and cancel what waits; with ``wait`` return when all that runs has ended."""
        with self._lock:
            self._is_closed = True
            while taken := self._waiting.take():
                taken[1][0].cancel()
        self._threads.shutdown(wait=wait)

    def _start(self) -> None:
        """Under the lock: begin what the free threads and the shares allow."""
        while self._free and (taken := self._waiting.take(lambda project, _: self._held[project] < self._share)):
            project, (future, work) = taken
            self._free -= 1
            self._held[project] += 1
            self._threads.submit(self._run, project, future, work)

    def _run(self, project: str, future: "Future[Any]", work: Callable[[], Any]) -> None:
        try:
            if future.set_running_or_notify_cancel():
                future.set_result(work())
        except BaseException as error:  # whoever waits for the result gets it
            future.set_exception(error)
        with self._lock:
            self._free += 1
            self._held[project] -= 1
            if not self._held[project]:
                del self._held[project]
            if not self._is_closed:
                self._start()

"""Fair scheduling: waiting work is taken from the projects in turn, and each project has a limited share of threads."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar

Entry = TypeVar("Entry")
Out = TypeVar("Out")


class Turns(Generic[Entry]):
    """Waiting entries by project. Projects take turns; the entries of one project stay in order. Not thread-safe."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Entry]] = OrderedDict()

    def __bool__(self) -> bool:
        """Return whether an entry is waiting."""
        return bool(self._waiting)

    def put(self, project: str, entry: Entry) -> None:
        """Add an entry behind the other entries of its project."""
        self._waiting.setdefault(project, deque()).append(entry)

    def take(self, may: Callable[[str, Entry], bool] = lambda _project, _entry: True) -> tuple[str, Entry] | None:
        """Remove and return a project and its first entry; None if no entry may be taken.

        The projects are tried in the order of their turns, and ``may`` decides on the first entry of each. The project
        of the returned entry has the next turn after all others.
        """
        for project, entries in self._waiting.items():
            if may(project, entries[0]):
                entry = entries.popleft()
                # Removed and inserted again, the project moves to the end of the order.
                del self._waiting[project]
                if entries:
                    self._waiting[project] = entries
                return project, entry
        return None


class FairPool:
    """Threads that projects share in turn; one project uses at most ``share`` of them at a time. Thread-safe."""

    def __init__(self, threads: int, share: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads
        self._share = share
        self._held: Counter[str] = Counter()
        self._waiting: Turns[tuple[Future[Any], Callable[[], Any]]] = Turns()
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, project: str, work: Callable[[], Out]) -> "Future[Out]":
        """Run the work in a thread when it is the project's turn. Raises RuntimeError when the pool is closed."""
        future: Future[Out] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("these threads take no more work: the process ends")
            # In the caller's context, so that log lines of the work carry the ids of its request.
            self._waiting.put(project, (future, partial(copy_context().run, work)))
            self._start()
        return future

    def close(self, *, wait: bool) -> None:
        """Cancel the waiting work and start no more; with ``wait`` return only after the running work has ended."""
        with self._lock:
            self._is_closed = True
            while taken := self._waiting.take():
                taken[1][0].cancel()
        self._threads.shutdown(wait=wait)

    def _start(self) -> None:
        """Start as much waiting work as the free threads and the shares allow. The caller holds the lock."""
        while self._free and (taken := self._waiting.take(lambda project, _: self._held[project] < self._share)):
            project, (future, work) = taken
            self._free -= 1
            self._held[project] += 1
            self._threads.submit(self._run, project, future, work)

    def _run(self, project: str, future: "Future[Any]", work: Callable[[], Any]) -> None:
        """Do the work in one of the threads, then start waiting work in its place."""
        try:
            if future.set_running_or_notify_cancel():
                future.set_result(work())
        # Every error is passed on to the thread that waits for the result; otherwise that thread would wait forever.
        except BaseException as error:
            future.set_exception(error)
        with self._lock:
            self._free += 1
            self._held[project] -= 1
            if not self._held[project]:
                del self._held[project]
            if not self._is_closed:
                self._start()

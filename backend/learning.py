"""Store the tasks that requests bring, in the waker's thread: many at once under load, and none that is stored."""

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.waker import Waker
from labelstudio.changes import tasks_of
from labelstudio.kept import Kept
from store.database import is_locked
from store.tasks import Tasks

# Tasks of which it is remembered that they are stored.
MOST = 100_000
# Tasks of one project that wait for a locked database; more are dropped, until they are asked for again.
MOST_WAITING = 50_000
# Seconds after which a task that is asked for is stored again: its project may have been forgotten meanwhile.
AGAIN_S = 60.0


class Learner:
    """Stores tasks by project. Threads may share it."""

    def __init__(self, tasks: Tasks, waker: Waker) -> None:
        self._tasks = tasks
        self._waker = waker
        self._lock = threading.Lock()
        # Project → the tasks that wait to be stored, by id.
        self._waiting: dict[str, dict[int, Mapping[str, Any]]] = {}
        # Project and task → when Label Studio changed the task last, and when it was stored, by `time.monotonic`.
        self._stored: Kept[tuple[str, int], tuple[object, float]] = Kept(MOST, MOST)

    def learn(self, project: str, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Store these tasks soon, except those without an id and those that were stored just now."""
        since = time.monotonic() - AGAIN_S
        new = {}
        for task in payloads:
            if (number := task["id"]) is None:
                continue
            known = self._stored.get((project, number))
            if known is None or known[0] != task["updated_at"] or known[1] < since:
                new[number] = task
        if new:
            with self._lock:
                self._waiting.setdefault(project, {}).update(new)
            self._waker.ask("learn", project, partial(self._run, project))

    def _run(self, project: str) -> None:
        with self._lock:
            waiting = self._waiting.pop(project, {})
        try:
            self._tasks.upsert(project, tasks_of(waiting.values()))
        except SQLAlchemyError as error:
            # The waker tries again while the database is locked. What has come meanwhile is newer.
            if is_locked(error) and len(waiting) <= MOST_WAITING:
                with self._lock:
                    self._waiting[project] = {**waiting, **self._waiting.get(project, {})}
            raise
        at = time.monotonic()
        for number, task in waiting.items():
            self._stored.put((project, number), (task["updated_at"], at), 1)

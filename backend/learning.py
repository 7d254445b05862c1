"""Store the tasks that requests bring, in the waker's thread: many at once under load, and none that is stored."""

import threading
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.waker import Waker
from labelstudio.changes import tasks_of
from labelstudio.kept import Kept
from store.database import is_locked
from store.tasks import Tasks

LOG = structlog.stdlib.get_logger(__name__)

# Tasks of which it is remembered that they are stored.
MOST = 100_000
# Seconds for which tasks gather before they are stored, since a transaction for several costs as much as for one.
# Errands behind them wait as long.
GATHER_S = 0.2
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
            self._waker.ask("learn", "", self._run)

    def _run(self) -> None:
        if not self._waiting:
            return
        time.sleep(GATHER_S)
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        locked: SQLAlchemyError | None = None
        for project, tasks in waiting.items():
            try:
                self._tasks.upsert(project, tasks_of(tasks.values()))
            except SQLAlchemyError as error:
                if not is_locked(error):
                    LOG.error("tasks are not stored", project=project, tasks=len(tasks), error=str(error))
                    continue
                locked = error
                with self._lock:
                    # What has come meanwhile is newer.
                    again = {**tasks, **self._waiting.get(project, {})}
                    self._waiting[project] = dict(islice(again.items(), MOST_WAITING))
                continue
            at = time.monotonic()
            for number, task in tasks.items():
                self._stored.put((project, number), (task["updated_at"], at), 1)
        if locked:
            # The waker tries again for a while.
            raise locked

"""Whether Label Studio has the projects that are heard of: a new one is looked up once, a gone one rests.

No work is asked for before that is known, so that a stranger's made-up projects cost a worker nothing. Where Label
Studio does not say, or none is configured, a project counts as there.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import structlog

from labelstudio.api import LabelStudioError
from labelstudio.kept import Kept
from labelstudio.presence import project_there
from labelstudio.project import ProjectKey
from labelstudio.sites import Sites
from labelstudio.turns import FairPool
from store.store import Store

LOG = structlog.stdlib.get_logger(__name__)

HELD_S = 60.0  # a project counts as there for so long; then the store is asked, where a worker may have noted otherwise
REST_S = 600.0  # a gone project that is heard of is looked up again so often
AWAY_S = 30.0  # for which a Label Studio that did not say is not asked again
THREADS = 4
MOST = 10_000  # projects that are remembered, or wait to be looked up; beyond it the timer has to find the work


class _Told(NamedTuple):
    """What is known of a project until a ``time.monotonic()`` moment."""

    is_there: bool
    until: float


class Presence:
    """Looks projects up in threads of its own. Threads may share it."""

    def __init__(self, store: Store, sites: Sites) -> None:
        self._store = store
        self._sites = sites
        self._told: Kept[str, _Told] = Kept(MOST, MOST)
        self._away: dict[str, float] = {}  # connection → until when it is not asked
        self._waiting: dict[str, dict[str, Callable[[], object]]] = {}
        self._threads = FairPool(THREADS, THREADS, "presence")
        self._lock = threading.Lock()

    def when_there(
        self, project: ProjectKey, errand: str, then: Callable[[], object], *, is_certain: bool = False
    ) -> None:
        """Call ``then`` if the project is there: now, or when that is known. ``errand`` names what it does.

        ``is_certain``: Label Studio itself has just shown the project, so a gone one is looked up at once.
        """
        key = str(project)
        told = self._told.get(key)
        if told is not None and time.monotonic() < told.until and (told.is_there or not is_certain):
            if told.is_there:
                then()
            return
        with self._lock:
            is_asked = key in self._waiting
            if not is_asked and len(self._waiting) >= MOST:
                return
            self._waiting.setdefault(key, {})[errand] = then
        if not is_asked:
            self._threads.submit(project.connection, partial(self._look_up, project))

    def close(self) -> None:
        """End after what is being looked up."""
        self._threads.close(wait=True)

    def _look_up(self, project: ProjectKey) -> None:
        key = str(project)
        try:
            told = self._answer(project)
        except Exception as error:  # the store is away, or Label Studio says nothing
            LOG.warning("it is not known whether Label Studio has a project", project=key, error=str(error))
            told = _Told(True, time.monotonic() + AWAY_S)
        self._told.put(key, told, 1)
        with self._lock:
            waiting = self._waiting.pop(key, {})
        if told.is_there:
            for then in waiting.values():
                then()

    def _answer(self, project: ProjectKey) -> _Told:
        known = self._store.projects.get(str(project))
        client = self._sites.client(project.connection)
        if not client.connection.url or (known is not None and known.reconciled_at and not known.gone_at):
            return _Told(True, time.monotonic() + HELD_S)
        if time.monotonic() < self._away.get(project.connection, 0.0):
            return _Told(True, time.monotonic() + AWAY_S)
        try:
            is_there = project_there(client, project) is not None
        except LabelStudioError:
            self._away[project.connection] = time.monotonic() + AWAY_S
            raise
        self._store.projects.note_presence(str(project), is_there)
        if is_there:
            return _Told(True, time.monotonic() + HELD_S)
        LOG.warning("Label Studio has no such project: it rests", project=str(project), url=client.connection.url)
        return _Told(False, time.monotonic() + REST_S)

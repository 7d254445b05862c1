"""Find out whether Label Studio has the projects that requests name, before the worker gets work for them.

Requests with made-up projects therefore cost the worker nothing. A new project is looked up once. A project that Label
Studio does not have gets no work; it is looked up again when it is requested later. A project counts as existing when
Label Studio gives no answer or none is configured.
"""

import threading
from collections.abc import Callable
from contextvars import copy_context
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
from tagloom_base import clock

LOG = structlog.stdlib.get_logger(__name__)

# Seconds for which a project counts as existing. Then the store is read again: the worker may have found it gone.
HELD_S = 60.0
# Seconds after which a gone project that is requested is looked up again.
REST_S = 600.0
# Seconds for which a Label Studio that gave no answer is not asked again.
AWAY_S = 30.0
THREADS = 4
# Most projects that are remembered, and most that wait for a look-up. The timer finds the work of others.
MOST = 10_000


class _Known(NamedTuple):
    """Whether a project exists, as far as is known; valid until a time of `clock.monotonic`."""

    exists: bool
    until: float


class Presence:
    """Looks projects up in its own threads. Threads may share it."""

    def __init__(self, store: Store, sites: Sites) -> None:
        self._store = store
        self._sites = sites
        self._known: Kept[str, _Known] = Kept(MOST, MOST)
        # Connection → the `clock.monotonic` until which it is not asked.
        self._away: dict[str, float] = {}
        # Project → the work that waits for its look-up, by name.
        self._waiting: dict[str, dict[str, Callable[[], object]]] = {}
        self._threads = FairPool(THREADS, THREADS, "presence")
        self._lock = threading.Lock()

    def when_there(
        self, project: ProjectKey, errand: str, then: Callable[[], object], *, is_certain: bool = False
    ) -> None:
        """Call ``then`` if the project exists: at once if this is known, else after a look-up in another thread.

        ``errand`` names what ``then`` does: while a look-up waits, each errand is kept once. ``is_certain`` says that
        Label Studio itself has just shown the project, so one that counts as gone is looked up again at once.
        """
        key = str(project)
        known = self._known.get(key)
        if known is not None and clock.monotonic() < known.until and (known.exists or not is_certain):
            if known.exists:
                then()
            return
        with self._lock:
            is_waiting = key in self._waiting
            if not is_waiting and len(self._waiting) >= MOST:
                return
            self._waiting.setdefault(key, {})[errand] = partial(copy_context().run, then)
        if not is_waiting:
            self._threads.submit(project.connection, partial(self._look_up, project))

    def close(self) -> None:
        """End the threads after their current look-ups."""
        self._threads.close(wait=True)

    def _look_up(self, project: ProjectKey) -> None:
        """Look the project up, note the answer, and run what waited for it if the project exists."""
        key = str(project)
        try:
            known = self._answer(project)
        except Exception as error:
            # The database is away, or Label Studio gives no answer.
            LOG.warning("it is not known whether Label Studio has a project", project=key, error=str(error))
            known = _Known(True, clock.monotonic() + AWAY_S)
        # Stored before the waiting errands are taken, so that an errand that arrives in between runs at once.
        self._known.put(key, known, 1)
        with self._lock:
            waiting = self._waiting.pop(key, {})
        if known.exists:
            for then in waiting.values():
                then()

    def _answer(self, project: ProjectKey) -> _Known:
        """Ask the store and, where the store cannot say, Label Studio. Raises LabelStudioError when it fails."""
        stored = self._store.projects.get(str(project))
        client = self._sites.client(project.connection)
        if not client.connection.url or (stored is not None and stored.reconciled_at and not stored.gone_at):
            return _Known(True, clock.monotonic() + HELD_S)
        if clock.monotonic() < self._away.get(project.connection, 0.0):
            return _Known(True, clock.monotonic() + AWAY_S)
        try:
            found = project_there(client, project)
        except LabelStudioError:
            self._away[project.connection] = clock.monotonic() + AWAY_S
            raise
        self._store.projects.note_presence(str(project), found is not None, str((found or {}).get("title") or ""))
        if found is not None:
            return _Known(True, clock.monotonic() + HELD_S)
        LOG.warning("Label Studio has no such project: it rests", project=str(project), url=client.connection.url)
        return _Known(False, clock.monotonic() + REST_S)

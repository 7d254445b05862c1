"""The backend's timer: it finds work that is due in the store, in case Redis, a worker or a webhook was lost."""

import logging
import os
import threading
import uuid
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from labelstudio.project import ProjectKey
from labelstudio.sites import connections_of
from store.leases import LeaseLost, lease_name
from store.processes import BACKEND
from store.store import Store
from tagloom_base.settings import Settings
from worker import queue
from worker.forgotten import DAY_S, marks
from worker.predictions import offer
from worker.promotion.publication import promote_due
from worker.shared_settings import differences, shared, workers_apart

LOG = logging.getLogger(__name__)

EVERY_S = 3.0
# Seconds between two jobs that may forget the same project.
FORGET_PAUSE_S = 3600.0


class Timer:
    """A thread that calls `tick` every EVERY_S seconds while the block runs. Every backend has one."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._holder = f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex}"
        self.shared = shared(settings)
        self._told: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timer", daemon=True)

    def __enter__(self) -> "Timer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(SQLAlchemyError):
            self._store.processes.forget(self._holder)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            tick(self._settings, self._store, self._holder)
            self._compare_settings()

    def _compare_settings(self) -> None:
        """Record this backend's shared settings, and log each one in which a worker has come to differ."""
        try:
            self._store.processes.note(self._holder, BACKEND, self.shared)
            apart = workers_apart(self._settings, self._store, self.shared)
        # As in `tick`: no error may end the thread.
        except Exception as error:
            LOG.warning("timer: the settings of the workers cannot be compared: %r", error)
            return
        lines = [line for worker in apart for line in differences(self.shared, worker)]
        for line in lines:
            if line not in self._told:
                LOG.error("%s", line)
        self._told = lines


def tick(settings: Settings, store: Store, holder: str) -> None:
    """Wake the workers for projects with work that is due in the store, and promote versions that may be promoted.

    Several backends may call this; in each interval one of them does the work. `holder` identifies the caller. Errors
    are logged, never raised.
    """
    try:
        # The lease is not released: it expires shortly before this backend's next tick.
        if not store.leases.acquire("timer", holder, EVERY_S * 0.9):
            return
        queue.announce(settings)
        for project_key in store.projects.waiting_for_training():
            queue.wake_training(settings, project_key)
        for project_key in store.versions.with_accepted():
            _promote(settings, store, project_key, holder)
        for project_key in offer.due(settings.versions, store):
            queue.wake_predicting(settings, project_key)
        # The store records how far an encoding has come. If nobody holds its lease, its job was interrupted or killed.
        sites = connections_of(settings.studios)
        for project_key in dict.fromkeys([*store.projects.in_encoding(), *store.pictures.due()]):
            # Of a connection that is no longer configured nothing can be read.
            is_known = ProjectKey.parse(project_key).connection in sites
            if is_known and not store.leases.held(lease_name(queue.Kind.ENCODE, project_key)):
                queue.wake_encoding(settings, project_key)
        for project_key in store.source_opinions.due():
            is_known = ProjectKey.parse(project_key).connection in sites
            if is_known and not store.leases.held(lease_name(queue.Kind.ASK, project_key)):
                queue.wake_asking(settings, project_key)
        gone = store.projects.gone()
        for project_key in store.fast_answers.projects_due():
            if project_key not in gone:
                queue.wake_encoding(settings, project_key)
        for project_key in store.projects.waiting_for_reconcile(settings.work.reconcile_minutes * 60):
            # A project of a connection that is no longer configured cannot be compared.
            if ProjectKey.parse(project_key).connection in sites:
                queue.wake_reconcile(settings, project_key)
        for project_key in _to_forget(settings, store):
            if _is_time(store, project_key, holder):
                queue.wake_forgetting(settings, project_key)
    # No error may end the thread: without it, lost work would stay lost.
    except Exception:
        LOG.exception("timer: this look failed, the next one follows")


def _to_forget(settings: Settings, store: Store) -> list[str]:
    """Return projects for which the age rule is due, and those whose forget was interrupted or is to be tidied up."""
    at, days = store.now(), settings.work.forget_days
    left = [mark.key for mark in marks(settings.paths.home) if mark.is_due(at)]
    return left + (store.projects.gone_for(days * DAY_S) if days else [])


def _is_time(store: Store, project_key: str, holder: str) -> bool:
    """Return whether the project's last forgetting job was woken long enough ago, and note that one is woken now.

    A job that keeps the project, because Label Studio does not answer, say, would else be woken at every look.
    """
    name = lease_name(queue.Kind.FORGET, project_key)
    if store.leases.held(name, FORGET_PAUSE_S):
        return False
    return store.leases.acquire(name, holder, FORGET_PAUSE_S) is not None


def _promote(settings: Settings, store: Store, project_key: str, holder: str) -> None:
    """Promote a project's accepted version if its time has come, under the lease of a training."""
    lease = store.leases.acquire(lease_name("train", project_key), f"timer:{holder}", EVERY_S)
    if lease is None:
        # A training holds the lease. It promotes accepted versions itself when it begins.
        return
    try:
        promote_due(store, project_key, lease, settings.versions.promotion_seconds)
    except LeaseLost as error:
        LOG.warning("timer: %s", error)
    finally:
        store.leases.release(lease)

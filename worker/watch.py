"""Watching over a job while it works: keeps its lease alive and notices when it must end.

A job ends early when its lease went to another, when its worker was asked to stop (RQ notes that in Redis and waits for
the job; systemd's default also signals the work horse), or when its worker died and left it an orphan.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from store.leases import Lease, LeaseLost
from store.store import Store

LOG = logging.getLogger(__name__)

LEASE_S = 8.0  # with the timer's 3 s, a dead worker's job goes on elsewhere within 15 s
BEAT_S = 1.0
SLICE_S = 15.0  # much longer than a job takes to start: about a second


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """The job must end now; what is done is saved, the rest waits for another worker."""


class Ends(Protocol):
    """Somebody to ask whether the job must end."""

    def check(self) -> None:
        """Interrupted when the job must end."""


class NeverEnds:
    """For work outside of a job, which a person ends by Ctrl-C."""

    def check(self) -> None:
        """Nothing to do."""


class GivesWay:
    """For work that gold comes before: it ends also when gold waits for a training."""

    def __init__(self, watch: Ends, store: Store) -> None:
        self._watch = watch
        self._store = store

    def check(self) -> None:
        """Interrupted when the job must end or gold waits."""
        self._watch.check()
        if self._store.projects.waiting_for_training():
            raise Interrupted("gave way to gold")


class TakesTurns:
    """For work that can go on where it was ended: after a slice of time it ends if other jobs wait."""

    def __init__(self, watch: Ends, others_wait: Callable[[], bool]) -> None:
        self._watch = watch
        self._others_wait = others_wait
        self._until: float | None = None  # from the first look on: each job gets on, however long it prepares

    def check(self) -> None:
        """Interrupted when the job must end, or when it is another one's turn."""
        self._watch.check()
        if self._until is None:
            self._until = time.monotonic() + SLICE_S
        if time.monotonic() > self._until and self._others_wait():
            raise Interrupted("gave way to other jobs")


class Watch:
    """Context around a job that holds a lease. `check` raises once the job must end."""

    def __init__(self, store: Store, lease: Lease, redis: Redis, on_beat: Callable[[], None]) -> None:
        self._store = store
        self._lease = lease
        self._redis = redis
        self._on_beat = on_beat
        self._parent = _worker_pid(redis)
        self._reason = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._old_handler: object = None

    def __enter__(self) -> "Watch":
        if threading.current_thread() is threading.main_thread():
            self._old_handler = signal.signal(signal.SIGTERM, self._on_signal)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._old_handler is not None:
            signal.signal(signal.SIGTERM, self._old_handler)  # type: ignore[arg-type]

    def check(self) -> None:
        """Interrupted when the job must end."""
        if self._reason:
            raise Interrupted(self._reason)

    def _run(self) -> None:
        while not self._done.is_set() and not self._reason:
            self._reason = self._look() or self._reason
            self._done.wait(BEAT_S)

    def _look(self) -> str:
        if os.getppid() != self._parent:
            return "its worker died"
        if self._asked_to_stop():
            return "its worker is asked to stop"
        try:
            self._store.leases.renew(self._lease, LEASE_S)
        except LeaseLost as error:
            return str(error)
        except SQLAlchemyError as error:
            LOG.warning("lease %s not renewed: %s", self._lease.name, error)  # the lease's end decides
        self._on_beat()
        return ""

    def _asked_to_stop(self) -> bool:
        return _of_worker(self._redis, "shutdown_requested_date") is not None

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._reason = self._reason or "its process is asked to stop"


def _worker_pid(redis: Redis) -> int:
    """Process id of the worker that forked us, which may be dead already; our parent when Redis does not know it."""
    pid = _of_worker(redis, "pid")
    return int(pid) if pid else os.getppid()


def _of_worker(redis: Redis, field: str) -> bytes | str | None:
    """A field of our RQ worker's entry in Redis; None outside of a worker or when Redis is away."""
    worker = os.environ.get("RQ_WORKER_ID")
    try:
        return redis.hget(f"rq:worker:{worker}", field) if worker else None
    except RedisError:
        return None

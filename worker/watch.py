"""The watch over a running job: it renews the job's lease and notices when the job must end.

A job ends early in three cases: another job has taken its lease; its worker was asked to stop (RQ writes that to Redis
and waits for the job, and systemd by default also signals the work horse); or its worker has died.
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

# Seconds. With the timer's interval of 3 s, another worker continues a dead worker's job within 15 s.
LEASE_S = 8.0
BEAT_S = 1.0
# Seconds of one job's turn; much longer than the start of a job, which takes about a second.
SLICE_S = 15.0


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """The job must end now. Its results so far are saved, and a later job does the rest."""


class Ends(Protocol):
    """An object that knows whether the job must end."""

    def check(self) -> None:
        """Raise Interrupted when the job must end."""


class NeverEnds:
    """For work outside of a job, which a person ends with Ctrl-C."""

    def check(self) -> None:
        """Do nothing."""


class GivesWay:
    """For work that is less urgent than gold: it also ends when gold waits for a training."""

    def __init__(self, watch: Ends, store: Store) -> None:
        self._watch = watch
        self._store = store

    def check(self) -> None:
        """Raise Interrupted when the job must end or gold waits."""
        self._watch.check()
        if self._store.projects.waiting_for_training():
            raise Interrupted("gave way to gold")


class TakesTurns:
    """For work that a later job can continue: after SLICE_S it ends if other jobs wait."""

    def __init__(self, watch: Ends, others_wait: Callable[[], bool]) -> None:
        self._watch = watch
        self._others_wait = others_wait
        # The slice begins with the first check, so that a job with a long preparation makes progress too.
        self._until: float | None = None

    def check(self) -> None:
        """Raise Interrupted when the job must end, or when another job's turn has come."""
        self._watch.check()
        if self._until is None:
            self._until = time.monotonic() + SLICE_S
        if time.monotonic() > self._until and self._others_wait():
            raise Interrupted("gave way to other jobs")


class Watch:
    """The context of a job that holds a lease. `check` raises Interrupted once the job must end."""

    def __init__(self, store: Store, lease: Lease, redis: Redis, on_beat: Callable[[], None]) -> None:
        self._store = store
        self._lease = lease
        self._redis = redis
        self._on_beat = on_beat
        # The worker that forked this process may have died already, so Redis is asked first.
        pid = _of_worker(redis, "pid")
        self._parent = int(pid) if pid else os.getppid()
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
        """Raise Interrupted when the job must end."""
        if self._reason:
            raise Interrupted(self._reason)

    def _run(self) -> None:
        while not self._done.is_set() and not self._reason:
            self._reason = self._look() or self._reason
            self._done.wait(BEAT_S)

    def _look(self) -> str:
        """Renew the lease; return why the job must end, or an empty text."""
        if os.getppid() != self._parent:
            return "its worker died"
        if _of_worker(self._redis, "shutdown_requested_date") is not None:
            return "its worker is asked to stop"
        try:
            self._store.leases.renew(self._lease, LEASE_S)
        except LeaseLost as error:
            return str(error)
        except SQLAlchemyError as error:
            # The job goes on: if the lease expires and another job takes it, the next renewal raises LeaseLost.
            LOG.warning("lease %s not renewed: %s", self._lease.name, error)
        self._on_beat()
        return ""

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._reason = self._reason or "its process is asked to stop"


def _of_worker(redis: Redis, field: str) -> bytes | str | None:
    """Return a field of this RQ worker's entry in Redis; None outside of a worker or when Redis is away."""
    worker = os.environ.get("RQ_WORKER_ID")
    try:
        return redis.hget(f"rq:worker:{worker}", field) if worker else None
    except RedisError:
        return None

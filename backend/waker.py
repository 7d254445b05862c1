"""Run short errands, such as waking the worker, in another thread: no answer waits for Redis or the database."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import structlog

from store.database import PATIENCE_S, is_locked

LOG = structlog.stdlib.get_logger(__name__)


class Waker:
    """Runs errands one after the other. The same errand of a project never waits twice."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="waker")
        self._pending: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._is_closing = False

    def ask(self, errand: str, project: str, run: Callable[[], object]) -> None:
        """Run an errand for a project soon, and repeat it while the database is locked, for up to PATIENCE_S.

        Other errors of the errand are logged. The work is not lost, because the store notes which work is due.
        """
        self._ask(errand, project, run, time.monotonic() + PATIENCE_S)

    def close(self) -> None:
        """Run the errands in the queue, then end the thread."""
        self._is_closing = True
        self._thread.shutdown(wait=True)

    def _ask(self, errand: str, project: str, run: Callable[[], object], until: float) -> None:
        with self._lock:
            if (errand, project) in self._pending:
                return
            self._pending.add((errand, project))
        # In the caller's context, so that log lines, and the jobs that are queued, carry the ids of its request.
        self._thread.submit(copy_context().run, self._run, errand, project, run, until)

    def _run(self, errand: str, project: str, run: Callable[[], object], until: float) -> None:
        # Removed before it runs, so that work that becomes due meanwhile gets another run.
        with self._lock:
            self._pending.discard((errand, project))
        try:
            run()
        except Exception as error:
            if is_locked(error) and time.monotonic() < until and not self._is_closing:
                self._ask(errand, project, run, until)
            else:
                LOG.error("an errand failed", errand=errand, project=project, error=repr(error))

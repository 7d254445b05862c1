"""Look how far a training or a reconcile is that somebody asked for, until it is done."""

from dataclasses import dataclass

from rq.job import Job, JobStatus

from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker import queue
from worker.operating import Asked
from worker.queue import Kind

NAMES = {Kind.TRAIN: "training", Kind.RECONCILE: "reconcile"}
"""What can be followed, in words."""

# A job in one of these states still waits for a worker.
_WAITING = (JobStatus.QUEUED, JobStatus.CREATED, JobStatus.SCHEDULED, JobStatus.DEFERRED)


@dataclass(frozen=True)
class Look:
    """How far the work is. ``stage`` is what the job does, empty while none runs; ``done`` of ``total`` parts of the
    stage are done, both 0 where nobody counts them.
    """

    is_done: bool
    stage: str = ""
    done: int = 0
    total: int = 0


class Following:
    """Follows one request. A job that had failed before it does not count."""

    def __init__(self, settings: Settings, store: Store, project_key: str, kind: Kind) -> None:
        self._settings, self._store, self._key, self._kind = settings, store, project_key, kind
        before = queue.newest_job(settings, kind, project_key)
        self._failed_before = before.id if before and before.get_status() == JobStatus.FAILED else ""

    def look(self, asked: Asked) -> Look:
        """Return how far the work is. Raises UserError when its job failed, or the project is gone or forgotten."""
        project = self._store.projects.get(self._key)
        if project is None:
            raise UserError(f"{self._key} was forgotten meanwhile")
        if self._kind is Kind.RECONCILE:
            is_due = self._key in self._store.projects.waiting_for_reconcile(0.0)
            if project.reconciled_at >= asked.at and not is_due:
                return Look(is_done=True)
        elif project.trained_revision >= asked.revision:
            return Look(is_done=True)
        if project.gone_at and self._kind is Kind.TRAIN:
            raise UserError(f"Label Studio has no project {self._key} any more, so no training runs for it")
        job = queue.newest_job(self._settings, self._kind, self._key)
        status = job.get_status() if job else None
        if job and status == JobStatus.FAILED and job.id != self._failed_before:
            raise UserError(
                f"the {NAMES[self._kind]} of {self._key} failed: {_reason(job)}; it is tried again by itself"
            )
        if job is None or status in _WAITING:
            return Look(is_done=False)
        meta = job.get_meta()
        done, total = (meta.get(long, meta.get(short, 0)) for long, short in (("done", "epoch"), ("total", "epochs")))
        return Look(False, str(meta.get("stage", "")), int(done), int(total))


def _reason(job: Job) -> str:
    """Return the last line of what a job raised."""
    result = job.latest_result()
    lines = (result.exc_string or "").strip().splitlines() if result else []
    return lines[-1] if lines else "its worker's log says why"

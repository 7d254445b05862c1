"""What the workers do now and what waits for them, as Redis knows it, for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job
from rq.registry import StartedJobRegistry

from store.leases import lease_name
from store.store import Store
from tagloom_base.settings import Settings
from worker import queue
from worker.place import Place
from worker.queue import Kind

# Most jobs that are looked at, of those that run and of those that wait.
MOST = 200


@dataclass(frozen=True)
class Task:
    """A job of a project. ``since`` is when it began, in unix seconds; 0 for one that waits. ``progress`` is its meta.

    The progress of a training: ``stage``, ``epoch``, ``epochs`` and those of `worker.stages`.
    """

    kind: Kind
    project_key: str
    since: float = 0.0
    progress: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class AtWork:
    """What runs, what waits in the order of the queue, and how many workers listen to the queue."""

    running: tuple[Task, ...]
    waiting: tuple[Task, ...]
    workers: int


def at_work(settings: Settings, store: Store) -> AtWork | None:
    """Return what the workers of this place do; None while Redis is away."""
    connection = queue.redis_of(settings.work.redis_url)
    try:
        place = Place.of(settings.paths)
        jobs = Queue(settings.work.queue, connection=connection, serializer="json")
        started = StartedJobRegistry(queue=jobs).get_job_ids(cleanup=False)[:MOST]
        running = [_running(job) for job in _fetched(started, connection, place)]
        waiting = [_waiting(job) for job in _fetched(jobs.get_job_ids(0, MOST), connection, place)]
        count = Worker.count(queue=jobs)
    except RedisError:
        return None
    # A job stays among those that run for some minutes after its worker was killed, but its lease ends at once.
    alive = [task for task in running if task and store.leases.held(lease_name(task.kind, task.project_key))]
    return AtWork(tuple(alive), tuple(task for task in waiting if task), count)


def _fetched(ids: list[str], connection: Redis, place: Place) -> list[Job]:
    """Return those of these jobs that this place asked for."""
    found = [job for job in Job.fetch_many(ids, connection, serializer="json") if job] if ids else []
    return [job for job in found if (asker := Place.read(job.meta.get(queue.ASKED_AT))) and asker.store == place.store]


def _running(job: Job) -> Task | None:
    kind = _KINDS.get(job.func_name or "")
    since = job.started_at.timestamp() if job.started_at else 0.0
    return Task(kind, str(job.args[0]), since, job.meta) if kind else None


def _waiting(job: Job) -> Task | None:
    kind = _KINDS.get(job.func_name or "")
    return Task(kind, str(job.args[0])) if kind else None


_KINDS = {name: kind for kind, name in queue.FUNCTIONS.items()}

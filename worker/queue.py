"""The queue of RQ jobs. A job names a kind of work and a project to bring up to date, not an event.

However often a project is woken, at most one job of each kind waits for it. Leases in the store decide which job may
run. RQ has no option for this: its `unique=True` refuses new jobs until the result of the finished job expires. Redis
carries only the wake-up. If Redis is away or was emptied, the store still records the work that is due, and the
backend's timer wakes the project again (docs/decisions/0039-coalescing.md).
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    RedisError,
    TimeoutError,
    WatchError,
)
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.utils import as_text, utcparse
from rq.worker_registration import WORKERS_BY_QUEUE_KEY
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import get_contextvars

from labelstudio.project import file_name
from tagloom_base import clock, logs
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker.place import Place

LOG = logging.getLogger(__name__)

REDIS_TIMEOUT_S = 1.0
# Seconds that one job may take. RQ's default of 180 s would end a training.
TIMEOUT_S = 12 * 3600
RESULT_TTL_S = 3600
# Seconds that failed jobs are kept; RQ's default is a year.
FAILURE_TTL_S = 7 * 24 * 3600
WAITING_TTL_S = 30 * 24 * 3600
# Seconds that the place of a queue stays in Redis; the backends' timer writes it every few seconds.
ANNOUNCED_S = 60
# The key in a job's meta for the place at which the job was queued.
ASKED_AT = "asked_at"
# The key in a job's meta for the id of the request that asked for it.
ASKED_BY = "asked_by"
# Values of the running key: the job was not woken since it began, or it was woken again.
ONCE, AGAIN = b"1", b"again"


class Kind(StrEnum):
    """The kinds of work that jobs do."""

    TRAIN = "train"
    ENCODE = "encode"
    RECONCILE = "reconcile"
    PREDICT = "predict"
    ASK = "ask"
    FORGET = "forget"


FUNCTIONS = {
    Kind.TRAIN: "worker.jobs.train",
    Kind.ENCODE: "worker.jobs.encode",
    Kind.RECONCILE: "worker.jobs.reconcile",
    Kind.PREDICT: "worker.jobs.predict",
    Kind.ASK: "worker.jobs.ask",
    Kind.FORGET: "worker.jobs.forget",
}
"""The function that a job of each kind calls. Redis holds these names, also in jobs of an earlier release."""


def wake_training(settings: Settings, project_key: str) -> bool:
    """Queue a training of this project unless one waits or runs; return False if Redis or the database is away."""
    return _wake(settings, Kind.TRAIN, project_key)


def wake_encoding(settings: Settings, project_key: str) -> bool:
    """Queue a job that computes the project's missing features, unless one waits or runs; return as `wake_training`."""
    return _wake(settings, Kind.ENCODE, project_key)


def wake_reconcile(settings: Settings, project_key: str) -> bool:
    """Queue a reconcile of this project, unless one waits or runs; return as `wake_training`."""
    return _wake(settings, Kind.RECONCILE, project_key)


def wake_predicting(settings: Settings, project_key: str) -> bool:
    """Queue a job that refreshes stored predictions, unless one waits or runs; return as `wake_training`."""
    return _wake(settings, Kind.PREDICT, project_key)


def wake_asking(settings: Settings, project_key: str) -> bool:
    """Queue a job that shows items to the sources of others, unless one waits or runs; return as `wake_training`."""
    return _wake(settings, Kind.ASK, project_key)


def wake_forgetting(settings: Settings, project_key: str) -> bool:
    """Queue a job that forgets the project if the age rule says so, unless one waits; return as `wake_training`."""
    return _wake(settings, Kind.FORGET, project_key)


def newest_job(settings: Settings, kind: Kind, project_key: str) -> Job | None:
    """Return the job of this kind that was queued last for this project; None without one, or while Redis is away."""
    connection = redis_of(settings.work.redis_url)
    try:
        found = connection.get(_waiting_key(Place.of(settings.paths), kind, project_key))
        return Job.fetch(as_text(found), connection, serializer="json") if isinstance(found, bytes) else None
    except (RedisError, NoSuchJobError):
        return None


def others_wait(settings: Settings) -> bool:
    """Return whether any job waits for a worker; False while Redis is away."""
    try:
        return len(_queue(settings, redis_of(settings.work.redis_url))) > 0
    except RedisError:
        return False


def offer_again(settings: Settings, kind: Kind, project_key: str, asker: Place) -> None:
    """Queue a job again for a worker of ``asker``, the place that asked for it, since this worker cannot do it."""
    connection = redis_of(settings.work.redis_url)
    try:
        _enqueue_once(_queue(settings, connection), asker, kind, project_key)
    except RedisError as error:
        # Nothing is lost: the timer of that place's backend wakes the project again.
        LOG.warning("redis: %s", error)


def announce(settings: Settings) -> None:
    """Write to Redis for ANNOUNCED_S which place this queue serves, so that workers of other places refuse to start."""
    try:
        note = json.dumps(Place.of(settings.paths).note())
        redis_of(settings.work.redis_url).set(_place_key(settings), note, ex=ANNOUNCED_S)
    except RedisError:
        pass  # `_wake` logs that Redis is away


def require_place(settings: Settings) -> None:
    """Raise UserError when the queue serves another place than these settings name; pass if Redis is away.

    The connection is closed at the end, since RQ's worker calls this before it forks.
    """
    try:
        with Redis.from_url(
            settings.work.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=2
        ) as connection:
            noted = connection.get(_place_key(settings))
    except RedisError:
        return
    if isinstance(noted, bytes):
        Place.of(settings.paths).require(Place.read(json.loads(noted)), f"the queue {settings.work.queue!r}")


def alive(settings: Settings, workers: Sequence[str]) -> set[str] | None:
    """Return which of these RQ workers run, by their names; None while Redis is away."""
    connection = redis_of(settings.work.redis_url)
    try:
        # A worker that ended properly leaves its entry, with its time of death, for a minute.
        return {
            name
            for name in workers
            if connection.exists(f"rq:worker:{name}") and not connection.hexists(f"rq:worker:{name}", "death")
        }
    except RedisError:
        return None


def redis_answers(url: str) -> bool:
    """Return whether a Redis or Valkey server answers PING."""
    try:
        require_redis(url)
    except UserError:
        return False
    return True


def require_redis(url: str) -> None:
    """Raise UserError, without the URL's secrets, when its server does not answer or refuses."""
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    try:
        with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as connection:
            connection.ping()
    except (AuthenticationError, NoPermissionError) as refused:
        raise UserError(
            f"Redis or Valkey at {place} refuses the user or password in REDIS_URL: correct them"
        ) from refused
    except (ConnectionError, TimeoutError) as away:
        raise UserError(f"no Redis or Valkey answers at {place}: start it, or correct REDIS_URL") from away
    except RedisError as error:
        raise UserError(f"Redis or Valkey at {place} can't work ({error}): see its log") from error


def count_workers(settings: Settings) -> int:
    """Return how many workers listen to the queue. Raises RedisError when Redis is away."""
    with Redis.from_url(settings.work.redis_url, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)) as connection:
        return int(Worker.count(queue=Queue(settings.work.queue, connection=connection)))


def list_worker(settings: Settings, name: str) -> None:
    """Put a worker back among those that listen to the queue.

    RQ does so only as a worker starts: after Redis was emptied it would work on and not be counted.
    """
    key = f"{Worker.redis_worker_namespace_prefix}{name}"
    # While Redis is away nobody is counted; the worker's next job lists it.
    with suppress(RedisError), redis_of(settings.work.redis_url).pipeline() as pipeline:
        pipeline.sadd(Worker.redis_workers_keys, key)
        pipeline.sadd(WORKERS_BY_QUEUE_KEY % settings.work.queue, key)
        pipeline.execute()


class Figures(NamedTuple):
    """The queue as it is now: waiting jobs by kind, seconds that the oldest has waited, workers, failed jobs kept."""

    waiting: Mapping[str, int]
    oldest_s: float
    workers: int
    failed: int


def figures(settings: Settings) -> Figures | None:
    """Return the figures of the queue; None while Redis is away."""
    connection = redis_of(settings.work.redis_url)
    queue = _queue(settings, connection)
    try:
        ids = [as_text(waiting) for waiting in connection.lrange(queue.key, 0, -1)]
        with connection.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hget(Job.key_for(job_id), "enqueued_at")
            pipeline.zcard(queue.failed_job_registry.key)
            *times, failed = pipeline.execute()
        workers = int(Worker.count(queue=queue))
    except RedisError:
        return None
    since = [utcparse(as_text(time)).timestamp() for time in times if time]
    waiting = dict.fromkeys(map(str, Kind), 0) | Counter(job_id.partition("-")[0] for job_id in ids)
    return Figures(waiting, max([0.0, *(clock.now() - at for at in since)]), workers, int(failed))


def set_running(connection: Redis, place: Place, kind: Kind, project_key: str, seconds: float) -> None:
    """Set or extend the running key, which says that a job of this kind runs and will look for more work at its end."""
    key, milliseconds = _running_key(place, kind, project_key), max(1, int(seconds * 1000))
    try:
        if not connection.pexpire(key, milliseconds):
            connection.set(key, ONCE, px=milliseconds)
    except RedisError as error:
        LOG.warning("redis: %s", error)


def clear_running(connection: Redis, place: Place, kind: Kind, project_key: str) -> bool:
    """Delete the running key; return whether the job was woken again while it ran.

    After this the caller must look for more work: wake-ups during the run queued no job.
    """
    try:
        # In one transaction: a wake-up either marks the key before it is read, or finds no key and queues a job.
        with connection.pipeline() as pipeline:
            pipeline.get(_running_key(place, kind, project_key))
            pipeline.delete(_running_key(place, kind, project_key))
            found, _ = pipeline.execute()
    except RedisError as error:
        LOG.warning("redis: %s", error)
        return False
    return bool(found == AGAIN)


@lru_cache(maxsize=8)
def redis_of(url: str) -> Redis:
    """Return a client of Redis with short timeouts, so that no request of Label Studio waits long for Redis."""
    return Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )


def _wake(settings: Settings, kind: Kind, project_key: str) -> bool:
    try:
        _enqueue_once(_queue(settings, redis_of(settings.work.redis_url)), Place.of(settings.paths), kind, project_key)
    except RedisError as error:
        LOG.warning("redis is away (%s): %s of %s waits in the store", error, kind, project_key)
        return False
    except (SQLAlchemyError, UserError) as error:
        LOG.warning("the database is away (%s): %s of %s waits there", error, kind, project_key)
        return False
    return True


def _queue(settings: Settings, connection: Redis) -> Queue:
    return _Queue(settings.work.queue, connection=connection, serializer="json", default_timeout=TIMEOUT_S)


class _Queue(Queue):
    """RQ's queue, but trainings come before all other jobs, so that gold never waits until pictures are read."""

    def push_job_id(self, job_id: str, pipeline: Pipeline | None = None, at_front: bool = False) -> None:
        if job_id.startswith(f"{Kind.TRAIN}-"):
            connection = pipeline if pipeline is not None else self.connection
            connection.eval(_BEHIND_TRAININGS, 1, self.key, job_id, f"{Kind.TRAIN}-")
        else:
            super().push_job_id(job_id, pipeline=pipeline, at_front=at_front)


# Inserts a job before the first job that is not a training. A script runs atomically in Redis; separate commands would
# let other processes push and take jobs in between.
_BEHIND_TRAININGS = """
for _, waiting in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    if string.sub(waiting, 1, #ARGV[2]) ~= ARGV[2] then
        return redis.call('LINSERT', KEYS[1], 'BEFORE', waiting, ARGV[1])
    end
end
return redis.call('RPUSH', KEYS[1], ARGV[1])
"""


def _enqueue_once(queue: Queue, place: Place, kind: Kind, project_key: str) -> None:
    """Queue a job, unless one of this kind and project waits or runs. A running job is marked: it was woken again."""
    redis = queue.connection
    waiting_key = _waiting_key(place, kind, project_key)
    with redis.pipeline() as pipeline:
        pipeline.watch(waiting_key)  # type: ignore[no-untyped-call]
        # One command tests and marks, so the running job cannot end between the two and miss the mark.
        if redis.set(_running_key(place, kind, project_key), AGAIN, xx=True, keepttl=True):
            return
        if (waiting := pipeline.get(waiting_key)) is not None:
            job_id = as_text(waiting)
            status = redis.hget(Job.key_for(job_id), "status")
            # A job that a worker has taken does not count: it may have read the store already.
            if status == JobStatus.QUEUED.value.encode() and redis.lpos(queue.key, job_id) is not None:
                return
        meta = {ASKED_AT: place.note(), ASKED_BY: get_contextvars().get(logs.REQUEST)}
        # The number makes job ids unique, and `rq info` and the log show it.
        number = int(redis.incr(f"tagloom:number:{kind}:{project_key}"))
        job = queue.create_job(
            FUNCTIONS[kind],
            args=(project_key,),
            meta=meta,
            timeout=TIMEOUT_S,
            result_ttl=RESULT_TTL_S,
            failure_ttl=FAILURE_TTL_S,
            description=f"{kind} {project_key}",
            job_id=f"{kind}-{file_name(project_key)}-{number}",
        )
        pipeline.multi()
        pipeline.set(waiting_key, job.id, ex=WAITING_TTL_S)
        queue.enqueue_job(job, pipeline=pipeline)
        try:
            pipeline.execute()
        except WatchError:
            return  # another process queued a job at the same moment
    LOG.info("queued %s", job.id)


def _place_key(settings: Settings) -> str:
    return f"tagloom:place:{settings.work.queue}"


def _waiting_key(place: Place, kind: Kind, project_key: str) -> str:
    # The store's name is in it, since two Tagloom that share a Redis may have equal project keys.
    return f"tagloom:waiting:{place.store}:{kind}:{project_key}"


def _running_key(place: Place, kind: Kind, project_key: str) -> str:
    return f"tagloom:running:{place.store}:{kind}:{project_key}"

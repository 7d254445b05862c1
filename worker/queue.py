"""Telling workers that there is work: RQ jobs that are named by what they bring up to date, not by an event.

However often a project is woken, at most one job of a kind waits; what may *run* is decided by leases in the store.
RQ's own means do not give that (`unique=True` refuses until the finished job's result expires). Redis only carries the
wake-up: when it is away or empty the store still knows what is to be done, and the backend's timer wakes again.
"""

import json
import logging
import re
from enum import StrEnum
from functools import lru_cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import RedisError, WatchError
from redis.retry import Retry
from rq import Queue
from rq.job import Job, JobStatus
from rq.utils import as_text
from sqlalchemy.exc import SQLAlchemyError

from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker.place import Place

LOG = logging.getLogger(__name__)

REDIS_TIMEOUT_S = 1.0
TIMEOUT_S = 12 * 3600  # of one job; RQ's 180 s would kill a training
RESULT_TTL_S = 3600
FAILURE_TTL_S = 7 * 24 * 3600  # RQ keeps failed jobs for a year
WAITING_TTL_S = 30 * 24 * 3600
ANNOUNCED_S = 60  # a backend says all the time which place its queue works for
ASKED_AT = "asked_at"  # in a job's meta: the place that it was asked for at
ONCE, AGAIN = b"1", b"again"  # what the key of a running job holds: nobody or somebody has woken it since it began


class Kind(StrEnum):
    """What a job brings up to date."""

    TRAIN = "train"
    ENCODE = "encode"
    RECONCILE = "reconcile"
    PREDICT = "predict"


FUNCTIONS = {
    Kind.TRAIN: "worker.jobs.train",
    Kind.ENCODE: "worker.jobs.encode",
    Kind.RECONCILE: "worker.jobs.reconcile",
    Kind.PREDICT: "worker.jobs.predict",
}
"""What a job calls. The names lie in Redis: jobs of an earlier release call them too."""


def wake_training(settings: Settings, project_key: str) -> bool:
    """See that a training of this project waits or runs. True when it does for sure, False when Redis is away."""
    return _wake(settings, Kind.TRAIN, project_key)


def wake_encoding(settings: Settings, project_key: str) -> bool:
    """See that a job waits that computes this project's missing features."""
    return _wake(settings, Kind.ENCODE, project_key)


def wake_reconcile(settings: Settings, project_key: str) -> bool:
    """See that a job waits that compares the store with Label Studio."""
    return _wake(settings, Kind.RECONCILE, project_key)


def wake_predicting(settings: Settings, project_key: str) -> bool:
    """See that a job waits that brings stored predictions up to the served version."""
    return _wake(settings, Kind.PREDICT, project_key)


def others_wait(settings: Settings) -> bool:
    """Whether any job waits for a worker; False while Redis is away."""
    try:
        return len(_queue(settings, redis_of(settings.work.redis_url))) > 0
    except RedisError:
        return False


def offer_again(settings: Settings, kind: Kind, project_key: str, asker: Place) -> None:
    """Put a job that was asked for elsewhere back into the queue, for a worker of that place."""
    connection = redis_of(settings.work.redis_url)
    try:
        _enqueue_once(_queue(settings, connection), asker, kind, project_key)
    except RedisError as error:
        LOG.warning("redis: %s", error)  # the backend asks again


def announce(settings: Settings) -> None:
    """Say for a minute which place this queue works for, so that a worker of another one refuses to start."""
    try:
        note = json.dumps(Place.of(settings).note())
        redis_of(settings.work.redis_url).set(_place_key(settings), note, ex=ANNOUNCED_S)
    except RedisError:
        pass  # who wakes a worker tells of it


def require_place(settings: Settings) -> None:
    """Raise UserError when the queue works for another place than these settings name.

    Opens a connection of its own and closes it: RQ's worker asks before it forks. Without Redis nothing is known.
    """
    try:
        with Redis.from_url(
            settings.work.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=2
        ) as connection:
            noted = connection.get(_place_key(settings))
    except RedisError:
        return
    if isinstance(noted, bytes):
        Place.of(settings).require(Place.read(json.loads(noted)), f"the queue {settings.work.queue!r}")


def set_running(connection: Redis, place: Place, kind: Kind, project_key: str, seconds: float) -> None:
    """Say for some seconds that this is being done by somebody who will look for more work at the end."""
    key, milliseconds = _running_key(place, kind, project_key), max(1, int(seconds * 1000))
    try:
        if not connection.pexpire(key, milliseconds):
            connection.set(key, ONCE, px=milliseconds)
    except RedisError as error:
        LOG.warning("redis: %s", error)


def clear_running(connection: Redis, place: Place, kind: Kind, project_key: str) -> bool:
    """The opposite of `set_running`: whether somebody woke it meanwhile. Afterwards look at the store once more."""
    try:
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
    """A connection pool that gives up soon: no request of Label Studio waits for Redis."""
    return Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )


def _wake(settings: Settings, kind: Kind, project_key: str) -> bool:
    try:
        _enqueue_once(_queue(settings, redis_of(settings.work.redis_url)), Place.of(settings), kind, project_key)
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
    """RQ's queue, in which trainings stand before all other jobs: gold never waits for pictures to be read."""

    def push_job_id(self, job_id: str, pipeline: Pipeline | None = None, at_front: bool = False) -> None:
        if job_id.startswith(f"{Kind.TRAIN}-"):
            connection = pipeline if pipeline is not None else self.connection
            connection.eval(_BEHIND_TRAININGS, 1, self.key, job_id, f"{Kind.TRAIN}-")
        else:
            super().push_job_id(job_id, pipeline=pipeline, at_front=at_front)


# Puts a job before the first one that is no training. A script, because others push and take jobs at the same moment.
_BEHIND_TRAININGS = """
for _, waiting in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    if string.sub(waiting, 1, #ARGV[2]) ~= ARGV[2] then
        return redis.call('LINSERT', KEYS[1], 'BEFORE', waiting, ARGV[1])
    end
end
return redis.call('RPUSH', KEYS[1], ARGV[1])
"""


def _enqueue_once(queue: Queue, place: Place, kind: Kind, project_key: str) -> None:
    key = _waiting_key(place, kind, project_key)
    with queue.connection.pipeline() as pipeline:
        pipeline.watch(key)  # type: ignore[no-untyped-call]
        if _is_running(queue.connection, place, kind, project_key) or _is_waiting(queue, pipeline.get(key)):
            return
        job = _job(queue, place, kind, project_key)
        pipeline.multi()
        pipeline.set(key, job.id, ex=WAITING_TTL_S)
        queue.enqueue_job(job, pipeline=pipeline)
        try:
            pipeline.execute()
        except WatchError:
            return  # somebody else woke it at the same moment


def _is_running(connection: Redis, place: Place, kind: Kind, project_key: str) -> bool:
    """Whether it is being done; whoever does it learns that it was woken again."""
    return bool(connection.set(_running_key(place, kind, project_key), AGAIN, xx=True, keepttl=True))


def _is_waiting(queue: Queue, marked: bytes | str | None) -> bool:
    """Whether the job that was marked is still in the queue: one that a worker has taken will not wait for more."""
    if marked is None:
        return False
    job_id = as_text(marked)
    status = queue.connection.hget(Job.key_for(job_id), "status")
    return status == JobStatus.QUEUED.value.encode() and queue.connection.lpos(queue.key, job_id) is not None


def _job(queue: Queue, place: Place, kind: Kind, project_key: str) -> Job:
    return queue.create_job(
        FUNCTIONS[kind],
        args=(project_key,),
        meta={ASKED_AT: place.note()},
        timeout=TIMEOUT_S,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        description=f"{kind} {project_key}",
        job_id=f"{kind}-{_slug(project_key)}-{_number(queue, kind, project_key)}",
    )


def _number(queue: Queue, kind: Kind, project_key: str) -> int:
    """Grows with each job, so that `rq info` and the log tell one from the next."""
    return int(queue.connection.incr(f"tagloom:number:{kind}:{project_key}"))


def _slug(project_key: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", project_key)


def _place_key(settings: Settings) -> str:
    return f"tagloom:place:{settings.work.queue}"


# Two Tagloom that share a Redis may know a project by the same key.
def _waiting_key(place: Place, kind: Kind, project_key: str) -> str:
    return f"tagloom:waiting:{place.store}:{kind}:{project_key}"


def _running_key(place: Place, kind: Kind, project_key: str) -> str:
    return f"tagloom:running:{place.store}:{kind}:{project_key}"

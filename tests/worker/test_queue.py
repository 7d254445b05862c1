import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job

from tagloom_base.settings import Settings
from worker import queue
from worker.place import Place
from worker.queue import Kind

KEY = "default/2.1795288797"


@pytest.fixture
def redis(settings: Settings) -> Redis:
    connection = queue.redis_of(settings.work.redis_url)
    connection.flushall()
    return connection


def waiting(settings: Settings, redis: Redis) -> list[Job]:
    found = Queue(settings.work.queue, connection=redis, serializer="json")
    return [job for job in found.jobs if job is not None]


def test_a_hundred_wakes_make_one_job(settings: Settings, redis: Redis) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: queue.wake_training(settings, KEY), range(100)))
    (job,) = waiting(settings, redis)
    assert (job.func_name, list(job.args)) == ("worker.jobs.train", [KEY])
    assert (job.timeout, job.result_ttl, job.failure_ttl) == (12 * 3600, 3600, 7 * 24 * 3600)


def test_kinds_and_projects_wait_apart(settings: Settings, redis: Redis) -> None:
    queue.wake_training(settings, KEY)
    queue.wake_training(settings, "default/3.1")
    queue.wake_encoding(settings, KEY)
    queue.wake_reconcile(settings, KEY)
    names = sorted(str(job.func_name) for job in waiting(settings, redis))
    assert names == ["worker.jobs.encode", "worker.jobs.reconcile", "worker.jobs.train", "worker.jobs.train"]


def test_trainings_stand_before_all_else_in_the_order_in_which_they_came(settings: Settings, redis: Redis) -> None:
    queue.wake_encoding(settings, KEY)
    queue.wake_training(settings, "default/5.1")
    queue.wake_reconcile(settings, KEY)
    queue.wake_training(settings, KEY)
    queue.wake_training(settings, "default/4.1")
    order = [(str(job.func_name).removeprefix("worker.jobs."), job.args[0]) for job in waiting(settings, redis)]
    trainings = [("train", "default/5.1"), ("train", KEY), ("train", "default/4.1")]
    assert order == [*trainings, ("encode", KEY), ("reconcile", KEY)]


def test_whether_others_wait_is_told(settings: Settings, redis: Redis) -> None:
    assert not queue.others_wait(settings)
    queue.wake_encoding(settings, KEY)
    assert queue.others_wait(settings)
    assert not queue.others_wait(settings.changed(redis_url="redis://127.0.0.1:1/0"))


def test_what_comes_after_a_job_was_taken_makes_one_new_one(settings: Settings, redis: Redis) -> None:
    queue.wake_training(settings, KEY)
    (taken,) = waiting(settings, redis)
    assert redis.lpop(Queue(settings.work.queue, connection=redis).key) == taken.id.encode()
    queue.wake_training(settings, KEY)
    queue.wake_training(settings, KEY)
    (new,) = waiting(settings, redis)
    assert new.id != taken.id


def test_nobody_is_woken_for_what_a_running_job_will_see_at_its_end(settings: Settings, redis: Redis) -> None:
    queue.set_running(redis, Place.of(settings.paths), Kind.TRAIN, KEY, 60)
    queue.wake_training(settings, KEY)
    assert waiting(settings, redis) == []
    queue.set_running(redis, Place.of(settings.paths), Kind.TRAIN, KEY, 60)
    assert queue.clear_running(redis, Place.of(settings.paths), Kind.TRAIN, KEY)  # it was woken again
    queue.set_running(redis, Place.of(settings.paths), Kind.TRAIN, KEY, 60)
    assert not queue.clear_running(redis, Place.of(settings.paths), Kind.TRAIN, KEY)
    queue.wake_training(settings, KEY)
    assert len(waiting(settings, redis)) == 1


def test_an_emptied_redis_takes_the_next_wake(settings: Settings, redis: Redis) -> None:
    queue.wake_training(settings, KEY)
    redis.flushall()
    queue.wake_training(settings, KEY)
    assert len(waiting(settings, redis)) == 1


def test_no_pickle_in_redis(settings: Settings, redis: Redis) -> None:
    queue.wake_training(settings, KEY)
    (job,) = waiting(settings, redis)
    raw = redis.hget(job.key, "data")
    assert isinstance(raw, bytes)
    assert b"worker.jobs.train" in zlib.decompress(raw)


def test_redis_away_is_told_and_not_raised(settings: Settings) -> None:
    away = settings.changed(redis_url="redis://127.0.0.1:1/0")
    assert queue.wake_training(away, KEY) is False
    queue.set_running(queue.redis_of(away.work.redis_url), Place.of(away.paths), Kind.TRAIN, KEY, 1)
    queue.clear_running(queue.redis_of(away.work.redis_url), Place.of(away.paths), Kind.TRAIN, KEY)

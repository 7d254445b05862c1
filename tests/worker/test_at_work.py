"""What is told of running and waiting jobs, from the entries that RQ makes in a real Valkey."""

from collections.abc import Mapping
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.executions import Execution
from rq.job import Job

from store.leases import lease_name
from store.store import Store
from tagloom_base.settings import Settings
from tests.worker import shop
from worker import jobs, queue
from worker.at_work import AtWork, at_work

KEY = str(shop.KEY)


def take(settings: Settings, redis: Redis) -> Job:
    """Take the first job from the queue, with the entries that a worker makes as it begins."""
    jobs_of = Queue(settings.work.queue, connection=redis, serializer="json")
    job = jobs_of.jobs[0]
    with redis.pipeline() as pipeline:
        job.prepare_for_execution("worker", pipeline)
        execution = Execution("1", job.id, redis, "worker")
        job.started_job_registry.add_execution(execution, pipeline, ttl=60)
        pipeline.lrem(jobs_of.key, 1, job.id)
        pipeline.execute()
    return job


def test_a_training_is_told_of_while_it_waits_and_while_it_runs(store: Store, settings: Settings, redis: Redis) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    assert at_work(settings, store) == AtWork((), (), 0)
    queue.wake_training(settings, KEY)
    queue.wake_encoding(settings, KEY)
    before = at_work(settings, store)
    assert before is not None
    assert [(task.kind, task.since) for task in before.waiting] == [("train", 0.0), ("encode", 0.0)]
    lease = store.leases.acquire(lease_name("train", KEY), "worker", ttl=60)
    assert lease
    job = take(settings, redis)
    job.meta.update({"stage": "judging", "seconds_left": 30.0})
    job.save_meta()  # type: ignore[no-untyped-call]
    now = at_work(settings, store)
    assert now is not None
    (task,) = now.running
    assert (task.kind, task.project_key) == ("train", KEY)
    assert abs(task.since - store.now()) < 60
    assert task.progress is not None
    assert (task.progress["stage"], task.progress["seconds_left"]) == ("judging", 30.0)
    assert [one.kind for one in now.waiting] == ["encode"]
    # The lease of a worker that was killed ends, while RQ still lists its job.
    store.leases.release(lease)
    after = at_work(settings, store)
    assert after is not None
    assert after.running == ()


@pytest.mark.usefixtures("here")
def test_a_training_leaves_how_long_its_stages_took(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    store.projects.request_training(KEY)
    told: list[Mapping[str, Any]] = []

    def work(_workplace: object, _key: str, _lease: object, _watch: object, progress: Any) -> str:
        progress({"stage": "judging"})
        return "done"

    monkeypatch.setattr(jobs, "train_project", work)
    monkeypatch.setattr(jobs, "_report", told.append)
    jobs.train(KEY)
    kept = store.projects.get(KEY)
    assert kept is not None
    assert list(kept.last_training["seconds"]) == ["judging"]
    assert [one["stage"] for one in told] == ["judging"]
    jobs.train(KEY)
    assert told[-1]["seconds_left"] >= 0


def test_jobs_of_another_place_are_not_told(store: Store, settings: Settings, redis: Redis) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    queue.wake_training(settings, KEY)
    jobs_of = Queue(settings.work.queue, connection=redis, serializer="json")
    (job,) = jobs_of.jobs
    elsewhere: Mapping[str, Any] = {**job.meta[queue.ASKED_AT], "store": "another"}
    job.meta[queue.ASKED_AT] = dict(elsewhere)
    job.save_meta()  # type: ignore[no-untyped-call]
    assert at_work(settings, store) == AtWork((), (), 0)


def test_without_redis_nothing_is_known(store: Store, settings: Settings) -> None:
    away = Settings(home=settings.paths.home, redis_url="redis://127.0.0.1:1/0")
    assert at_work(away, store) is None

"""What is told of running and waiting jobs, looked at from inside a job of a real RQ worker."""

from collections.abc import Mapping
from typing import Any

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from store.leases import lease_name
from store.store import Store
from tagloom_base.settings import Settings
from tests.worker import shop
from worker import jobs, queue
from worker.at_work import AtWork, at_work

KEY = str(shop.KEY)


def work_off(settings: Settings, redis: Redis) -> None:
    jobs_of = Queue(settings.work.queue, connection=redis, serializer=JSONSerializer)
    SimpleWorker([jobs_of], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="ERROR")


@pytest.mark.usefixtures("here")
def test_a_training_is_told_of_while_it_waits_and_while_it_runs(
    store: Store, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=2)
    store.projects.request_training(KEY)
    store.projects.note_training(KEY, {"seconds": {"judging": 30.0}, "weak": {}})
    assert at_work(settings, store) == AtWork((), (), 0)
    queue.wake_training(settings, KEY)
    queue.wake_encoding(settings, KEY)
    before = at_work(settings, store)
    assert before is not None
    assert [(task.kind, task.project_key, task.since) for task in before.waiting] == [
        ("train", KEY, 0.0),
        ("encode", KEY, 0.0),
    ]
    seen: list[AtWork | None] = []

    def look(_workplace: object, _key: str, _lease: object, _watch: object, progress: Any) -> str:
        progress({"stage": "judging"})
        seen.append(at_work(settings, store))
        # The lease of a worker that was killed ends, and RQ still lists its job.
        store.leases.revoke(lease_name("train", KEY))
        seen.append(at_work(settings, store))
        return "done"

    monkeypatch.setattr(jobs, "train_project", look)
    monkeypatch.setattr(jobs, "encode_project", lambda *_: "done")
    work_off(settings, redis)
    now, after = seen
    assert now is not None
    assert after is not None
    (task,) = now.running
    assert (task.kind, task.project_key) == ("train", KEY)
    assert abs(task.since - store.now()) < 60
    assert task.progress is not None
    assert task.progress["stage"] == "judging"
    assert 0 < task.progress["seconds_left"] <= 30
    assert [one.kind for one in now.waiting] == ["encode"]
    assert now.workers == 1
    assert after.running == ()
    kept = store.projects.get(KEY)
    assert kept is not None
    assert list(kept.last_training["seconds"]) == ["judging"]


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
    away = settings.model_copy(update={"work": settings.work.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})})
    assert at_work(away, store) is None

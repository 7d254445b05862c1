from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue

from labelstudio.api import LabelStudioError
from store.leases import lease_name
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from testing.label_studio.writable import WritableLabelStudio
from tests.backend.parts import running
from tests.worker import label_studio
from tests.worker.label_studio import lease_of, publish_next
from worker import jobs, queue, timer
from worker.predictions.offer import due, offer
from worker.watch import NeverEnds
from worker.workplace import open_workplace


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio, valkey: str) -> Settings:
    return label_studio.settings_of(
        tmp_path, studio, uncertainty_sampling=True, redis_url=valkey, queue=tmp_path.name, reconcile_minutes=0
    )


@pytest.fixture
def redis(settings: Settings) -> Redis:
    connection = queue.redis_of(settings.work.redis_url)
    connection.flushall()
    return connection


def promote(settings: Settings, store: Store, studio: WritableLabelStudio) -> str:
    """A new version serves, and Label Studio has heard of it in /setup."""
    version = publish_next(settings, store, studio)
    studio.backend["model_version"] = version
    return version


def run(settings: Settings, studio: WritableLabelStudio) -> str:
    with open_workplace(settings) as workplace:
        project = workplace.store.projects.get(str(studio.key))
        assert project
        return offer(workplace, project, lease_of(workplace), NeverEnds(), lambda _: None)


def test_the_first_predictions_then_the_title_then_the_project(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    version = promote(settings, store, studio)
    studio.annotate(7, [])
    assert due(settings.versions, store) == [str(studio.key)]
    run(settings, studio)
    assert studio.written == [
        "16 predictions", f"title {version}", f"project goes by {version}", "16 predictions", "7 predictions",
    ]  # fmt: skip
    assert studio.backend["title"] == studio.project.model_version == version
    assert studio.sampling == "Uncertainty sampling"
    assert due(settings.versions, store) == []
    run(settings, studio)
    assert len(studio.written) == 5
    assert studio.next_task() not in (None, 7)


def test_tasks_are_written_in_the_order_of_their_scores(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    promote(settings, store, studio)
    run(settings, studio)
    promote(settings, store, studio)
    studio.changed.clear()
    run(settings, studio)
    score_of = {one.id: one.score or 0.0 for task in studio.project.tasks.values() for one in task.predictions}
    scores = [score_of[int(entry.split()[1])] for entry in studio.changed]
    assert len(scores) == len(studio.project.tasks)
    assert scores == sorted(scores)


def test_a_killed_run_goes_on_and_tasks_never_come_at_random(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    old = promote(settings, store, studio)
    run(settings, studio)
    new = promote(settings, store, studio)
    studio.fails_at = 1
    with pytest.raises(LabelStudioError):
        run(settings, studio)
    assert studio.backend["title"] == studio.project.model_version == old
    assert studio.next_task()
    assert due(settings.versions, store) == []  # for a minute
    store.leases.revoke(f"pause predict:{studio.key}")
    assert due(settings.versions, store) == [str(studio.key)]
    studio.fails_at = 20
    with pytest.raises(LabelStudioError):
        run(settings, studio)
    assert studio.backend["title"] == studio.project.model_version == new  # the title has carried it along
    assert studio.next_task()
    run(settings, studio)
    assert studio.written[-1:] == [f"title {new}"], "once"
    assert {tuple(studio.versions_of(task)) for task in studio.project.tasks} == {(new,)}
    assert due(settings.versions, store) == []


def test_our_own_changes_trigger_no_work(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    promote(settings, store, studio)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(studio.deliveries, "send", told.append)
    run(settings, studio)
    assert [event["action"] for event in told] == ["PROJECT_UPDATED"]
    with running(tmp_path, label_studio_url=studio.url) as backend:
        before = store.projects.get(str(studio.key))
        setup = {"project": str(studio.key).partition("/")[2], "schema": studio.project.label_config}
        backend.setup(setup)
        for event in told:
            assert backend.client.post("/webhook", json=event).status_code == 200
        backend.setup(setup)
        backend.settle()
        assert (backend.asked.train, backend.asked.encode, backend.asked.reconcile) == ([], [], [])
        after = store.projects.get(str(studio.key))
        assert before
        assert after
        assert (after.gold_revision, after.reconciled_at) == (before.gold_revision, before.reconciled_at)


def test_the_timer_wakes_it_while_it_is_due(
    settings: Settings, store: Store, studio: WritableLabelStudio, redis: Redis
) -> None:
    def woken() -> list[str]:
        store.leases.revoke("timer")
        timer.tick(settings, store, "test")
        jobs = Queue(settings.work.queue, connection=redis, serializer="json").jobs
        return [str(job.func_name) for job in jobs if job]

    promote(settings, store, studio)
    store.projects.begin_reconcile(str(studio.key))
    lease = store.leases.acquire(lease_name("reconcile", studio.key), "test", ttl=60)
    assert lease
    store.projects.finish_reconcile(str(studio.key), lease)
    assert woken() == ["worker.jobs.predict"]
    redis.flushall()
    run(settings, studio)
    assert woken() == []


def test_the_job_does_it(
    settings: Settings, store: Store, studio: WritableLabelStudio, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "TAGLOOM_HOME": str(settings.paths.home),
        "TAGLOOM_QUEUE": settings.work.queue,
        "TAGLOOM_UNCERTAINTY_SAMPLING": "true",
        "REDIS_URL": settings.work.redis_url,
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": studio.token,
    }.items():
        monkeypatch.setenv(name, value)
    version = promote(settings, store, studio)
    assert jobs.predict(str(studio.key)).startswith(f"{version}: 40 predictions written")
    assert studio.project.model_version == version


def test_another_first_backend_is_left_alone(settings: Settings, store: Store, studio: WritableLabelStudio) -> None:
    promote(settings, store, studio)
    studio.backend["model_version"] = "someone-else-1"
    with pytest.raises(UserError, match="first ML backend"):
        run(settings, studio)
    assert studio.backend["title"] == "Tagloom"

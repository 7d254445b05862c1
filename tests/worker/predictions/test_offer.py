"""What Label Studio gets after a promotion without asking, as it is by default."""

import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue

import worker.predictions.kept
import worker.predictions.preannotation
from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.changes import tasks_of
from labelstudio.columns import CONFIDENCE
from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio.writable import WritableLabelStudio
from tests.worker import label_studio
from tests.worker.label_studio import lease_of, publish_next, read_pictures
from worker import jobs, queue, timer
from worker.predictions.offer import due, offer
from worker.watch import GivesWay, Interrupted, NeverEnds
from worker.workplace import open_workplace


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio, valkey: str) -> Settings:
    return label_studio.settings_of(tmp_path, studio, redis_url=valkey, queue=tmp_path.name, reconcile_minutes=0)


def opened_in_label_studio(studio: WritableLabelStudio, version: str) -> None:
    """Label Studio has asked for each task once."""
    for task in studio.project.tasks:
        studio.store_prediction(task, version)


def run(settings: Settings, studio: WritableLabelStudio, **changed: Any) -> str:
    with open_workplace(settings.changed(**changed)) as workplace:
        project = workplace.store.projects.get(str(studio.key))
        assert project
        return offer(workplace, project, lease_of(workplace), NeverEnds(), lambda _: None)


def test_stored_predictions_follow_each_promotion(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    opened_in_label_studio(studio, publish_next(settings, store, studio))
    studio.annotate(7, [])
    for _ in range(2):
        version = publish_next(settings, store, studio)
        assert due(settings.versions, store) == [str(studio.key)]
        assert run(settings, studio).startswith(f"{version}: 39 predictions written")
        assert due(settings.versions, store) == []
    assert {tuple(studio.versions_of(task)) for task in studio.project.tasks if task != 7} == {(version,)}
    assert studio.versions_of(7) != [version]
    assert (studio.backend["title"], studio.sampling) == ("Tagloom", "Sequential sampling"), "sampling is not touched"


def test_tasks_that_label_studio_never_asked_for_are_left_to_it(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    publish_next(settings, store, studio)
    run(settings, studio)
    assert studio.written == []


def test_columns_are_filled_alone_or_after_the_refresh_and_only_when_asked_for(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    opened_in_label_studio(studio, publish_next(settings, store, studio))
    version = publish_next(settings, store, studio)
    store.tasks.upsert(str(studio.key), tasks_of([task.in_webhook() for task in studio.project.tasks.values()]))
    run(settings, studio)
    assert studio.data_written == []
    only = {"refresh_predictions": False, "columns": True}
    publish_next(settings, store, studio)
    assert due(settings.changed(**only).versions, store) == [str(studio.key)]
    told = run(settings, studio, **only)
    assert "values written into the columns of 40 tasks" in told
    assert all(CONFIDENCE in task.data for task in studio.project.tasks.values())
    assert {tuple(studio.versions_of(task)) for task in studio.project.tasks} == {(version,)}, "not refreshed"
    assert due(settings.changed(**only).versions, store) == []


def test_it_may_be_switched_off(settings: Settings, store: Store, studio: WritableLabelStudio) -> None:
    opened_in_label_studio(studio, publish_next(settings, store, studio))
    version = publish_next(settings, store, studio)
    assert run(settings, studio, refresh_predictions=False) == f"0 answers of {version} kept"
    assert studio.written == []
    assert due(settings.changed(refresh_predictions=False).versions, store) == []


def test_a_second_prediction_is_deleted_after_an_hour_though_nothing_else_happens(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Label Studio stores one if it asks for a task of a new version before the task is refreshed."""
    opened_in_label_studio(studio, publish_next(settings, store, studio))
    version = publish_next(settings, store, studio)
    studio.store_prediction(1, version)
    monkeypatch.setattr(worker.predictions.preannotation, "OPEN_S", 1.0)
    run(settings, studio)
    assert studio.versions_of(1) == [version, version]
    assert due(settings.versions, store) == []
    for prediction in studio.project.tasks[1].predictions:
        prediction.created_at = "2026-11-21T00:00:00.000000Z"
    time.sleep(1)
    off = settings.changed(refresh_predictions=False)
    assert (due(settings.versions, store), due(off.versions, store)) == ([str(studio.key)], [])
    assert "1 superseded predictions deleted" in run(settings, studio)
    assert studio.versions_of(1) == [version]
    assert due(settings.versions, store) == []


def test_gold_comes_first_but_the_next_tasks_are_refreshed(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    opened_in_label_studio(studio, publish_next(settings, store, studio))
    version = publish_next(settings, store, studio)
    for rounds in (1, 2, 3):
        store.projects.request_training(str(studio.key))
        with open_workplace(settings) as workplace:
            project = workplace.store.projects.get(str(studio.key))
            assert project
            if rounds < 3:
                with pytest.raises(Interrupted, match="gold"):
                    offer(
                        workplace, project, lease_of(workplace), GivesWay(NeverEnds(), workplace.store), lambda _: None
                    )
        fresh = [task for task in studio.project.tasks if studio.versions_of(task) == [version]]
        assert fresh == list(range(1, 16 * min(rounds, 2) + 1))
    assert due(settings.versions, store) == [str(studio.key)]


def test_label_studio_looks_at_all_its_tasks_once_however_many_jobs_keep_the_answers(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.predictions.kept, "LOADED", 16)
    looks: list[str] = []
    outdated = LabelStudioClient.outdated_tasks

    def noting(client: LabelStudioClient, number: int, after: int, version: str, **scope: bool) -> Any:
        looks.append(version)
        return outdated(client, number, after, version, **scope)

    monkeypatch.setattr(LabelStudioClient, "outdated_tasks", noting)
    version = publish_next(settings, store, studio)
    store.tasks.upsert(str(studio.key), tasks_of([task.in_webhook() for task in studio.project.tasks.values()]))
    with open_workplace(settings) as workplace:
        read_pictures(workplace, studio)
    for kept in (16, 32):
        store.projects.request_training(str(studio.key))
        with open_workplace(settings) as workplace:
            project = workplace.store.projects.get(str(studio.key))
            assert project
            with pytest.raises(Interrupted, match="gold"):
                offer(workplace, project, lease_of(workplace), GivesWay(NeverEnds(), store), lambda _: None)
        assert len(list(store.answers.of_version(str(studio.key), version))) == kept
    assert run(settings, studio).endswith(f"8 answers of {version} kept")
    assert looks == [version]
    # Sampling wants predictions of all tasks.
    studio.backend["model_version"] = version
    assert run(settings, studio, uncertainty_sampling=True).startswith(f"{version}: 40 predictions written")
    assert looks == [version, version]
    # Pictures that came late may be those of stored predictions.
    store.answers.make_due(str(studio.key))
    assert due(settings.versions, store) == [str(studio.key)]
    run(settings, studio)
    assert looks == [version, version, version]
    assert due(settings.versions, store) == []


def test_label_studio_is_asked_again_after_it_was_away(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_in_label_studio(studio, publish_next(settings, store, studio))
    version = publish_next(settings, store, studio)
    studio.fails_at = 1
    with pytest.raises(LabelStudioError):
        run(settings, studio)
    assert f"{version}: 40 predictions written" in run(settings, studio)


def test_a_project_without_label_studio_is_not_tried_for_ever(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    publish_next(settings, store, studio)
    assert run(settings, studio, label_studio_url="").startswith("no Label Studio is configured")
    assert due(settings.versions, store) == []
    # It was configured while tasks got a second prediction.
    store.answers.set_crowded(str(studio.key), 0.0001)
    assert due(settings.versions, store) == [str(studio.key)]
    run(settings, studio, label_studio_url="")
    assert due(settings.versions, store) == []


def test_the_timer_wakes_the_job_and_the_job_does_it(
    settings: Settings, store: Store, studio: WritableLabelStudio, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "TAGLOOM_HOME": str(settings.paths.home),
        "TAGLOOM_QUEUE": settings.work.queue,
        "REDIS_URL": settings.work.redis_url,
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": studio.token,
    }.items():
        monkeypatch.setenv(name, value)
    opened_in_label_studio(studio, publish_next(settings, store, studio))
    version = publish_next(settings, store, studio)
    timer.tick(settings, store, "test")
    waiting = Queue(settings.work.queue, connection=queue.redis_of(settings.work.redis_url), serializer="json").jobs
    assert "worker.jobs.predict" in [job.func_name for job in waiting if job]
    assert jobs.predict(str(studio.key)).startswith(f"{version}: 40 predictions written")

"""Answers given before a picture was read become whole ones in Label Studio, by backend, store and worker together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rq import Queue

import worker.workplace
from store import fast_answers
from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio import payloads
from testing.label_studio.payloads import StoredPrediction
from testing.label_studio.writable import BUSY, WritableLabelStudio
from tests.backend.parts import Backend, CheapEncoders, running
from tests.worker import label_studio
from tests.worker.label_studio import Encoders, publish_next
from worker import queue, timer
from worker.encoding import encode
from worker.predictions import fast as fast_predictions
from worker.predictions.fast import replace_due
from worker.watch import Interrupted, NeverEnds, Watch
from worker.workplace import Workplace, open_workplace

TASKS = 6


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableLabelStudio]:
    monkeypatch.setattr(worker.workplace, "open_extractor", Encoders)
    monkeypatch.setattr(fast_answers, "FIRST_LOOK_S", 0.0)
    with label_studio.opened(tmp_path, TASKS) as made:
        yield made


@pytest.fixture
def workplace(tmp_path: Path, studio: WritableLabelStudio) -> Iterator[Workplace]:
    with open_workplace(label_studio.settings_of(tmp_path, studio)) as opened:
        yield opened


@pytest.fixture
def backend(tmp_path: Path, studio: WritableLabelStudio) -> Iterator[Backend]:
    """A backend that has no time to read a picture."""
    slow = CheapEncoders()
    slow.pause = 0.6
    settings: dict[str, Any] = {"label_studio_url": studio.url, "label_studio_token": studio.token}
    with running(tmp_path, slow, predict_budget=0.25, **settings) as made:
        made.setup(payloads.setup_body(studio.project, studio.url, studio.token))
        yield made


def retrieve(studio: WritableLabelStudio, backend: Backend, *ids: int) -> list[StoredPrediction]:
    """Label Studio asks for these tasks' predictions and stores them."""
    body = payloads.predict_body(studio.project, [studio.project.tasks[one] for one in ids])
    results = backend.client.post("/predict", json=body).json()["results"]
    studio._keep(ids, results)
    backend.settle()
    return [studio.project.tasks[one].predictions[-1] for one in ids]


def replaced(workplace: Workplace, studio: WritableLabelStudio) -> int:
    project = workplace.store.projects.get(str(studio.key))
    assert project is not None
    return replace_due(workplace, project, NeverEnds())


def waiting(workplace: Workplace, studio: WritableLabelStudio) -> list[int]:
    """Tasks whose fast answer will be looked at again."""
    with workplace.store.fast_answers._database.read() as connection:
        rows = connection.exec_driver_sql("SELECT task_id FROM fast_answers WHERE NOT settled ORDER BY task_id")
        return list(rows.scalars())


def test_the_worker_puts_whole_predictions_in_place_of_fast_ones(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace
) -> None:
    fast = retrieve(studio, backend, 1, 2, 3)
    version = backend.service.versions("default")[0]
    assert {one.model_version for one in fast} == {f"{version}+fast"}
    assert str(studio.key) in backend.asked.encode
    ids = [one.id for one in fast]

    project = workplace.store.projects.get(str(studio.key))
    assert project is not None
    lease = workplace.store.leases.acquire("test", "test", 60)
    assert lease is not None
    with Watch(workplace.store, lease, queue.redis_of("redis://127.0.0.1:1/0"), lambda: None) as watch:
        told = encode(workplace, project, watch, lambda _: None)
    assert "3 fast predictions replaced" in told
    now = [studio.project.tasks[one].predictions for one in (1, 2, 3)]
    assert [[one.id for one in each] for each in now] == [[number] for number in ids], "in place: none is deleted"
    assert {each[0].model_version for each in now} == {version}
    backend.encoders.pause = 0.0
    body = payloads.predict_body(studio.project, [studio.project.tasks[one] for one in (1, 2, 3)])
    whole = backend.client.post("/predict", json=body).json()["results"]
    assert [each[0].result for each in now] == [one["result"] for one in whole], "as the backend answers now"
    assert any("价格" in region["value"].get("choices", []) for region in whole[0]["result"]), "read in the picture"
    assert waiting(workplace, studio) == []
    assert replaced(workplace, studio) == 0


def test_what_label_studio_has_asked_for_again_is_no_reason_to_show_the_fast_one(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve(studio, backend, 1)
    backend.encoders.pause = 0.0
    monkeypatch.setattr(fast_predictions, "OPEN_S", 0.0001)
    (whole,) = retrieve(studio, backend, 1)
    assert not whole.model_version.endswith("+fast")
    assert replaced(workplace, studio) == 1
    assert studio.versions_of(1) == [whole.model_version] * 2, "quick view shows the first one"
    assert workplace.store.answers.crowded() == [str(studio.key)], "the second one goes when its time is over"
    assert waiting(workplace, studio) == []


def test_a_fast_prediction_that_an_annotation_was_made_from_is_kept(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace
) -> None:
    (fast,) = retrieve(studio, backend, 1)
    before = fast.body()
    studio.annotate(1, [])
    studio.project.tasks[1].annotations[0].parent_prediction = fast.id
    assert replaced(workplace, studio) == 0
    assert [one.body() for one in studio.project.tasks[1].predictions] == [before]
    assert waiting(workplace, studio) == []


def test_the_newest_version_takes_the_place(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace
) -> None:
    retrieve(studio, backend, 1)
    newer = publish_next(workplace.settings, workplace.store, studio)
    assert replaced(workplace, studio) == 1
    assert studio.versions_of(1) == [newer]


def test_what_label_studio_has_not_stored_is_looked_for_until_it_cannot_come(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve(studio, backend, 1, 2)
    kept = studio.project.tasks[1].predictions.pop()
    monkeypatch.setattr(fast_predictions, "AGAIN_S", 0.0)
    assert replaced(workplace, studio) == 1
    assert waiting(workplace, studio) == [1]
    studio.project.tasks[1].predictions.append(kept)
    assert replaced(workplace, studio) == 1
    retrieve(studio, backend, 3)
    studio.project.tasks[3].predictions.clear()
    monkeypatch.setattr(fast_predictions, "PATIENCE_S", -1.0)
    assert replaced(workplace, studio) == 0
    assert waiting(workplace, studio) == []


def test_a_task_that_is_gone_is_settled(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieve(studio, backend, 1, 2)
    workplace.store.tasks.delete(str(studio.key), [1])
    del studio.project.tasks[1]
    monkeypatch.setattr(fast_predictions, "PATIENCE_S", -1.0)
    assert replaced(workplace, studio) == 1
    assert waiting(workplace, studio) == []


def test_a_label_studio_that_is_away_is_asked_again_later(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace, tmp_path: Path
) -> None:
    retrieve(studio, backend, 1)
    away = label_studio.settings_of(tmp_path, studio).changed(label_studio_url="http://127.0.0.1:1")
    with open_workplace(away) as lonely:
        assert replaced(lonely, studio) == 0
    assert waiting(workplace, studio) == [1]
    assert workplace.store.fast_answers.due(str(studio.key)) == [], "not at once"


def test_a_picture_that_cannot_be_had_leaves_the_fast_prediction(
    studio: WritableLabelStudio, backend: Backend, workplace: Workplace
) -> None:
    studio.project.tasks[1].data["image"] = BUSY
    (fast,) = retrieve(studio, backend, 1)
    assert replaced(workplace, studio) == 0
    assert studio.versions_of(1) == [fast.model_version]
    assert waiting(workplace, studio) == [1]


def test_gold_comes_first(studio: WritableLabelStudio, backend: Backend, workplace: Workplace) -> None:
    class Stop:
        def check(self) -> None:
            raise Interrupted("gave way to gold")

    retrieve(studio, backend, 1)
    project = workplace.store.projects.get(str(studio.key))
    assert project is not None
    with pytest.raises(Interrupted):
        replace_due(workplace, project, Stop())
    assert waiting(workplace, studio) == [1]


def test_the_timer_wakes_the_worker_for_what_is_due(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = queue.redis_of(settings.work.redis_url)
    redis.flushall()
    monkeypatch.setattr(fast_answers, "FIRST_LOOK_S", 0.0)
    store.projects.ensure("default/2.1", "<View/>")
    store.fast_answers.give("default/2.1", "v0.a", [1])
    timer.tick(settings, store, "here")
    jobs = Queue(settings.work.queue, connection=redis, serializer="json").jobs
    assert [(job.func_name, job.args) for job in jobs if job and job.func_name != "worker.jobs.reconcile"] == [
        ("worker.jobs.encode", ["default/2.1"])
    ]

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import worker.predictions.answering
import worker.workplace
from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.changes import annotation_state
from store.projects import Project
from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio.writable import BUSY, LATE, WritableLabelStudio
from tests.worker import label_studio
from tests.worker.label_studio import Encoders, publish_next
from worker.predictions.answering import Answering
from worker.predictions.preannotation import PART, Refreshed, Scope, refresh
from worker.watch import Interrupted
from worker.workplace import open_workplace


class Stop:
    """A watch that lets so many looks pass."""

    def __init__(self, looks: int = 10**9) -> None:
        self.left = looks

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Interrupted("asked to stop")


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableLabelStudio]:
    monkeypatch.setattr(worker.workplace, "open_extractor", Encoders)
    with label_studio.opened(tmp_path) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio) -> Settings:
    return label_studio.settings_of(tmp_path, studio)


def project_of(store: Store, studio: WritableLabelStudio) -> Project:
    return store.projects.ensure(str(studio.key), studio.project.label_config)


def run(
    settings: Settings,
    studio: WritableLabelStudio,
    looks: int = 10**9,
    *,
    unlabelled_only: bool = False,
    stored_only: bool = False,
) -> Refreshed:
    seen: list[Mapping[str, Any]] = []
    with open_workplace(settings) as workplace:
        project = project_of(workplace.store, studio)
        watch, told = Stop(looks), seen.append
        done = refresh(workplace, project, watch, told, Scope(unlabelled_only, stored_only))
    assert [entry["done"] for entry in seen] == sorted(entry["done"] for entry in seen)
    assert seen[-1]["done"] == seen[-1]["total"] == done.tasks
    return done


def made_from(studio: WritableLabelStudio, task: int, prediction: int, *, skip: bool = False) -> None:
    """Somebody submits (or skips) a task in an editor that was opened with this prediction."""
    studio.annotate(task, [], skip=skip)
    studio.project.tasks[task].annotations[-1].parent_prediction = prediction


def ids_of(studio: WritableLabelStudio, task: int) -> list[int]:
    return [prediction.id for prediction in studio.project.tasks[task].predictions]


def test_a_task_has_one_prediction_after_any_number_of_versions(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    publish_next(settings, store, studio)
    assert run(settings, studio).written == 40
    assert run(settings, studio).written == 0
    first = {task: ids_of(studio, task) for task in studio.project.tasks}
    for _ in range(4):
        version = publish_next(settings, store, studio)
        done = run(settings, studio)
        assert (done.version, done.tasks, done.written, done.deleted) == (version, 40, 40, 0)
        assert {task: studio.versions_of(task) for task in first} == {task: [version] for task in first}
    assert {task: ids_of(studio, task) for task in first} == first, "in place: an editor may have it open"
    assert all(prediction.result for task in studio.project.tasks.values() for prediction in task.predictions)


def test_only_stored_predictions_are_refreshed_if_asked_for(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    old = publish_next(settings, store, studio)
    studio.store_prediction(1, old)
    studio.store_prediction(2, f"{old}+fast")
    studio.store_prediction(3, "somebody-else")
    studio.store_prediction(4, old)
    studio.annotate(4, [])
    new = publish_next(settings, store, studio)
    assert run(settings, studio, unlabelled_only=True, stored_only=True).written == 2
    assert [studio.versions_of(task) for task in range(1, 6)] == [[new], [new], ["somebody-else"], [old], []]


def test_what_an_annotation_was_made_from_is_kept(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    old = publish_next(settings, store, studio)
    run(settings, studio)
    for task, skip in ((3, False), (4, True)):
        made_from(studio, task, ids_of(studio, task)[0], skip=skip)
    kept = {task: studio.project.tasks[task].predictions[0].body() for task in (3, 4)}
    new = publish_next(settings, store, studio)
    run(settings, studio, unlabelled_only=True)
    assert studio.versions_of(3) == [old], "labelled"
    assert studio.versions_of(4) == [old, new], "skipped: it comes again"
    newest = publish_next(settings, store, studio)
    run(settings, studio)
    assert [studio.versions_of(task) for task in (3, 4, 5)] == [[old, newest], [old, newest], [newest]]
    assert {task: studio.project.tasks[task].predictions[0].body() for task in kept} == kept
    made_from(studio, 5, ids_of(studio, 5)[0])
    assert run(settings, studio).written == 0, "the served version's, made an annotation from, is enough"


def test_other_peoples_predictions_are_left_alone(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    old = publish_next(settings, store, studio)
    theirs = ["v1.2024", "v7.abcd", "somebody-else", "", f"{old}-mine", f"{old}+more"]
    for version in theirs:
        studio.store_prediction(1, version)
    studio.store_prediction(1, old)
    before = [one.body() for one in studio.project.tasks[1].predictions][:-1]
    new = publish_next(settings, store, studio)
    run(settings, studio)
    assert studio.versions_of(1) == [*theirs, new]
    assert [one.body() for one in studio.project.tasks[1].predictions][:-1] == before


def test_several_become_one_once_nobody_can_have_them_open(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    old = publish_next(settings, store, studio)
    new = publish_next(settings, store, studio)
    numbers = [studio.store_prediction(1, version) for version in (old, new, f"{new}+fast")]
    assert run(settings, studio, unlabelled_only=True).written == 39 + 2
    assert studio.versions_of(1) == [new] * 3, "the first is what an editor shows"
    assert ids_of(studio, 1) == numbers
    for prediction in studio.project.tasks[1].predictions:
        prediction.created_at = "2026-11-21T00:00:00.000000Z"
    assert run(settings, studio, unlabelled_only=True).deleted == 2
    assert ids_of(studio, 1) == numbers[:1]


def test_an_annotation_in_between_keeps_its_prediction(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = publish_next(settings, store, studio)
    run(settings, studio)
    new = publish_next(settings, store, studio)
    listed = LabelStudioClient.tasks_named

    def annotated_meanwhile(client: LabelStudioClient, project: int, ids: Sequence[int]) -> list[dict[str, Any]]:
        tasks = listed(client, project, ids)
        if 5 in ids:
            state = {"id": 77, "task": 5, "result": [], "updated_at": "2026-11-21T00:00:00Z"}
            store.annotations.apply(str(studio.key), [annotation_state(state)])
        return tasks

    monkeypatch.setattr(LabelStudioClient, "tasks_named", annotated_meanwhile)
    assert run(settings, studio).written == 39
    assert (studio.versions_of(5), studio.versions_of(6)) == ([old], [new])


def test_the_next_tasks_come_first_then_by_turns_the_least_certain_and_the_next(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_next(settings, store, studio)
    run(settings, studio)
    publish_next(settings, store, studio)
    studio.changed.clear()
    answers = Answering.answers

    def scored(answering: Answering, tasks: Sequence[Mapping[str, Any]], _: object = None) -> dict[int, dict[str, Any]]:
        found = answers(answering, tasks)
        return {number: {**answer, "score": number * 7 % 41 / 41} for number, answer in found.items()}

    monkeypatch.setattr(Answering, "answers", scored)
    run(settings, studio)
    numbers = {number: task for task in studio.project.tasks for number in ids_of(studio, task)}
    order = [numbers[int(one.split()[1])] for one in studio.changed]
    scores = {task.id: task.predictions[0].score or 0.0 for task in studio.project.tasks.values()}
    others = range(PART + 1, 41)
    uncertain = sorted(others, key=lambda task: scores[task])
    assert uncertain != list(others)
    by_turns = [task for pair in zip(uncertain, others, strict=True) for task in pair]
    assert order == [*range(1, PART + 1), *dict.fromkeys(by_turns)]


def test_one_that_label_studio_refuses_does_not_keep_the_others(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_next(settings, store, studio)
    for task in (1, 2):
        studio.store_prediction(task, store.versions.list(str(studio.key))[0].version)
    new = publish_next(settings, store, studio)
    listed = LabelStudioClient.tasks_named

    def gone_meanwhile(client: LabelStudioClient, project: int, ids: Sequence[int]) -> list[dict[str, Any]]:
        tasks = listed(client, project, ids)
        for task in {1, 3} & studio.project.tasks.keys():
            del studio.project.tasks[task]
        return tasks

    monkeypatch.setattr(LabelStudioClient, "tasks_named", gone_meanwhile)
    with open_workplace(settings) as workplace:
        done = refresh(workplace, project_of(workplace.store, studio), Stop(), lambda _: None)
    assert done.written == 38
    assert all(studio.versions_of(task) == [new] for task in studio.project.tasks)


def test_what_is_written_is_what_the_version_says(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    publish_next(settings, store, studio)
    run(settings, studio)
    stored = [prediction for task in studio.project.tasks.values() for prediction in task.predictions]
    assert [prediction.task for prediction in stored] == list(range(1, 41))
    assert all(0 < (prediction.score or 0.0) < 1 for prediction in stored)
    choices = [region for prediction in stored for region in prediction.result if region["type"] == "choices"]
    assert any("价格" in region["value"]["choices"] for region in choices)  # the picture reads ¥99


def test_a_run_that_was_ended_goes_on(settings: Settings, store: Store, studio: WritableLabelStudio) -> None:
    publish_next(settings, store, studio)
    with pytest.raises(Interrupted):
        run(settings, studio, looks=0)
    assert studio.written == ["16 predictions"], "the next ones are written, however often a run must end"
    studio.fails_at = 2
    with pytest.raises(LabelStudioError):
        run(settings, studio)
    assert run(settings, studio).written == 8


def test_another_version_in_between_starts_it_over(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    publish_next(settings, store, studio)

    class Promoting(Stop):
        def check(self) -> None:
            super().check()
            if self.left == 10**9 - 1:
                publish_next(settings, store, studio)

    with open_workplace(settings) as workplace:
        done = refresh(workplace, project_of(store, studio), Promoting(), lambda _: None)
    assert done.version.startswith("v1.")
    assert all(done.version in studio.versions_of(task) for task in studio.project.tasks)


def test_a_task_whose_picture_is_late_keeps_what_it_has_and_stays_due(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    first = publish_next(settings, store, studio)
    run(settings, studio)
    second = publish_next(settings, store, studio)
    image = studio.project.tasks[5].data["image"]
    studio.project.tasks[5].data["image"] = BUSY
    done = run(settings, studio)
    assert (done.unread, done.written) == (1, 39)
    assert studio.versions_of(5) == [first]
    studio.project.tasks[5].data["image"] = image
    assert run(settings, studio).written == 1
    assert studio.versions_of(5) == [second]


def test_pictures_that_never_come_keep_no_others_waiting(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.predictions.answering, "ARRIVAL_S", 1.5)
    version = publish_next(settings, store, studio)
    hanging = [task for task in studio.project.tasks.values() if task.id <= PART]
    for task in hanging:
        task.data["image"] = f"{LATE}/9/{task.id}.png"
    began = time.monotonic()
    done = run(settings, studio)
    assert time.monotonic() - began < 9.0
    assert done.unread == len(hanging)
    assert all(studio.versions_of(task.id) == [version] for task in studio.project.tasks.values() if task.id > PART)


def test_labelled_tasks_may_be_left_out(settings: Settings, store: Store, studio: WritableLabelStudio) -> None:
    publish_next(settings, store, studio)
    studio.annotate(7, [])
    assert run(settings, studio, unlabelled_only=True).written == 39
    assert studio.versions_of(7) == []

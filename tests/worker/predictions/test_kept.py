"""The worker keeps the served version's answers to all tasks whose pictures were read."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import pytest

import worker.predictions.kept
from labelstudio.changes import tasks_of
from labelstudio.encoding import Failure
from model.features.item import ItemFeatures
from model.items import Prediction
from store.answers import Answer
from store.changes import TaskState
from store.gallery import Verdict, Wanted
from store.projects import Project
from store.store import Store
from store.tasks import Task
from tagloom_base.settings import Settings
from testing.label_studio.writable import WritableLabelStudio
from testing.shop import LABELS
from tests.worker import label_studio
from tests.worker.label_studio import lease_of, publish_next, read_pictures
from worker.predictions.answering import Answering
from worker.predictions.kept import LOADED, keep
from worker.predictions.offer import due
from worker.watch import Ends, Interrupted, NeverEnds
from worker.workplace import Workplace, open_workplace

TASKS = LOADED + 6
NEVER = NeverEnds()


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableLabelStudio]:
    monkeypatch.setattr("worker.workplace.open_extractor", label_studio.Encoders)
    with label_studio.opened(tmp_path, TASKS) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio) -> Settings:
    return label_studio.settings_of(tmp_path, studio)


@pytest.fixture
def workplace(settings: Settings, store: Store, studio: WritableLabelStudio) -> Iterator[Workplace]:
    """All tasks are known, and their pictures read."""
    publish_next(settings, store, studio)
    with open_workplace(settings) as opened:
        listed, _ = opened.client_of(project_of(opened, studio)).tasks_after(studio.key.id, 0)
        opened.store.tasks.upsert(str(studio.key), tasks_of(listed))
        read_pictures(opened, studio)
        yield opened


def project_of(workplace: Workplace, studio: WritableLabelStudio) -> Project:
    project = workplace.store.projects.get(str(studio.key))
    assert project is not None
    return project


def run(workplace: Workplace, studio: WritableLabelStudio, ends: Ends = NEVER) -> str:
    return keep(workplace, project_of(workplace, studio), lease_of(workplace), ends, lambda _: None)


def kept(workplace: Workplace, studio: WritableLabelStudio, version: str) -> dict[int, Answer]:
    return {answer.task_id: answer for answer in workplace.store.answers.of_version(str(studio.key), version)}


def test_every_read_task_has_the_answer_that_the_backend_would_give(
    workplace: Workplace, settings: Settings, studio: WritableLabelStudio
) -> None:
    key = str(studio.key)
    version = workplace.serving(project_of(workplace, studio)).version
    assert due(settings.changed(refresh_predictions=False).versions, workplace.store) == [key]
    assert run(workplace, studio) == f"{TASKS} answers of {version} kept"
    found = kept(workplace, studio, version)
    assert list(found) == sorted(studio.project.tasks)
    assert due(settings.changed(refresh_predictions=False).versions, workplace.store) == []
    assert all(set(answer.probabilities) == set(LABELS) and not answer.changed for answer in found.values())
    assert any("价格" in answer.labels for answer in found.values()), "the read price speaks for it"
    gallery = workplace.store.gallery
    (labels,) = gallery.labels(key, version, [min(found)]).values()
    assert {label for label, one in labels.items() if one.given} == set(found[min(found)].labels)
    assert labels["价格"].source.startswith("价格: "), "one of its cues"
    assert gallery.count(key, version, Wanted(verdict=Verdict.UNLABELLED)) == TASKS
    # Tasks with the same title and picture are look-alikes, and lead to the first of them.
    titles = {number: task.data["title"] for number, task in studio.project.tasks.items()}
    first = {title: min(n for n in titles if titles[n] == title) for title in titles.values()}
    assert {found[number].look_alike for number in titles} <= set(first.values())
    assert run(workplace, studio) == f"0 answers of {version} kept"


def test_a_kept_answer_is_given_again_without_the_model_unless_the_task_changed(
    workplace: Workplace, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = Answering(workplace, project_of(workplace, studio))
    tasks = [task.payload() for task in workplace.store.tasks.all(str(studio.key))]
    before = answering.predictions(tasks)
    run(workplace, studio)
    asked = list[int]()
    predict = Answering._predict

    def noting(self: Answering, features: Sequence[ItemFeatures]) -> list[Prediction | None]:
        asked.append(len(features))
        return predict(self, features)

    monkeypatch.setattr(Answering, "_predict", noting)
    after = answering.predictions(tasks)
    boxed = [number for number, one in before.items() if one and one.prediction.boxes]
    assert len(boxed) > TASKS // 2
    assert sum(asked) == TASKS - len(boxed), "a config without boxes may have been asked about the others"
    assert list(after) == list(before)
    for number, old in before.items():
        new = after[number]
        assert old
        assert new
        assert (new.prediction.labels, new.prediction.score) == (old.prediction.labels, old.prediction.score)
        assert new.prediction.probabilities == pytest.approx(old.prediction.probabilities, abs=1e-5)
        for one, other in zip(new.prediction.boxes, old.prediction.boxes, strict=True):
            assert one.label == other.label
            assert astuple(one.box) == pytest.approx(astuple(other.box), abs=1e-5)
    asked.clear()
    renamed = {**tasks[0], "data": {**tasks[0]["data"], "title": "全新的标题"}}
    answering.predictions([renamed, *[task for task in tasks[1:] if task["id"] in boxed]])
    assert asked == [1]


def test_a_task_whose_picture_is_gone_is_answered_from_its_texts_and_not_by_boxes_that_were_kept(
    workplace: Workplace, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = Answering(workplace, project_of(workplace, studio))
    run(workplace, studio)
    (version,) = workplace.store.answers.versions(str(studio.key))
    boxed = next(one.task_id for one in kept(workplace, studio, version).values() if one.boxes)
    monkeypatch.setattr(workplace.encoder, "features", lambda *_: [Failure("no such picture", permanent=True)])
    (entry,) = answering.predictions([workplace.store.tasks.some(str(studio.key), [boxed])[boxed].payload()]).values()
    assert entry
    assert (entry.features.size, entry.prediction.boxes) == ((0, 0), ())


def test_a_job_that_gave_way_is_continued(workplace: Workplace, studio: WritableLabelStudio) -> None:
    class GoldWaits:
        def check(self) -> None:
            raise Interrupted("gold waits")

    with pytest.raises(Interrupted):
        run(workplace, studio, GoldWaits())
    assert workplace.store.answers.due() == [str(studio.key)]
    assert run(workplace, studio).startswith(f"{TASKS - LOADED} answers")


def test_a_job_that_gave_way_is_continued_behind_the_tasks_that_it_has_looked_at(
    workplace: Workplace, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.predictions.kept, "PAGE", 8)
    monkeypatch.setattr(worker.predictions.kept, "LOADED", 4)
    checks, key = list[int](), str(studio.key)

    class Twelve:
        def check(self) -> None:
            checks.append(1)
            if len(checks) == 3:
                raise Interrupted("gold waits")

    with pytest.raises(Interrupted):
        run(workplace, studio, Twelve())
    looked: list[int] = []
    page = workplace.store.tasks.page

    def noting(key: str, after: int, most: int) -> list[Task]:
        found = page(key, after, most)
        looked.extend(task.id for task in found)
        return found

    monkeypatch.setattr(workplace.store.tasks, "page", noting)
    assert run(workplace, studio).startswith(f"{TASKS - 12} answers")
    first = sorted(studio.project.tasks)[:8]
    assert looked == sorted(set(studio.project.tasks) - set(first)), "the first page was done"
    looked.clear()
    workplace.store.answers.make_due(key)
    assert run(workplace, studio).startswith("0 answers")
    assert looked == sorted(studio.project.tasks), "new pictures may be any task's"


def test_a_new_version_tells_what_it_changed_and_data_that_changed_is_asked_anew(
    workplace: Workplace, settings: Settings, studio: WritableLabelStudio
) -> None:
    run(workplace, studio)
    version = publish_next(settings, workplace.store, studio, LABELS[:2])
    assert run(workplace, studio) == f"{TASKS} answers of {version} kept"
    found = kept(workplace, studio, version)
    changed = {number for number, answer in found.items() if answer.changed}
    (before,) = set(workplace.store.answers.versions(str(studio.key))) - {version}
    old = kept(workplace, studio, before)
    assert changed == {number for number in found if set(old[number].labels) != set(found[number].labels)}
    assert changed
    # One task gets another title, another one is deleted.
    workplace.store.tasks.delete(str(studio.key), [2])
    renamed = workplace.store.tasks.all(str(studio.key))[0]
    state = TaskState(renamed.id, {**renamed.data, "title": "全新的标题"}, renamed.updated_us + 1)
    workplace.store.tasks.upsert(str(studio.key), [state])
    read_pictures(workplace, studio)
    assert run(workplace, studio) == f"1 answers of {version} kept"
    assert 2 not in kept(workplace, studio, version)
    assert not kept(workplace, studio, version)[renamed.id].changed

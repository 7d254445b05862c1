from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import worker.workplace
from labelstudio.api import LabelStudioError
from store.projects import Project
from store.store import Store
from tagloom.settings import Settings
from tests.worker import label_studio
from tests.worker.label_studio import Encoders, WritableLabelStudio, publish_next
from worker.predictions.preannotation import Refreshed, refresh
from worker.training.watch import Interrupted
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
    monkeypatch.setattr(worker.workplace, "FeatureExtractor", Encoders)
    with label_studio.opened(tmp_path) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio) -> Settings:
    return label_studio.settings_of(tmp_path, studio)


def project_of(store: Store, studio: WritableLabelStudio) -> Project:
    return store.projects.ensure(str(studio.key), studio.project.label_config)


def run(settings: Settings, studio: WritableLabelStudio, looks: int = 10**9, **options: bool) -> Refreshed:
    seen: list[Mapping[str, Any]] = []
    with open_workplace(settings) as workplace:
        done = refresh(workplace, project_of(workplace.store, studio), Stop(looks), seen.append, **options)
    assert [entry["done"] for entry in seen] == sorted(entry["done"] for entry in seen)
    assert seen[-1]["done"] == seen[-1]["total"] == len(studio.project.tasks)
    return done


def test_only_tasks_without_the_served_version_are_written(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    version = publish_next(settings, store, studio)
    for task in (1, 2, 3):
        studio.store_prediction(task, version)
    studio.store_prediction(4, f"{version}+fast")
    assert run(settings, studio).written == 37
    assert {tuple(studio.versions_of(task)) for task in range(5, 41)} == {(version,)}
    assert studio.versions_of(1) == [version]
    assert studio.versions_of(4) == [f"{version}+fast", version]
    assert run(settings, studio).written == 0
    newer = publish_next(settings, store, studio)
    assert run(settings, studio).written == 40
    assert studio.versions_of(9) == [version, newer]


def test_what_is_written_is_what_the_version_says(
    settings: Settings, store: Store, studio: WritableLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_next(settings, store, studio)
    sent: list[dict[str, Any]] = []
    with open_workplace(settings) as workplace:
        client = workplace.client_of(project_of(store, studio))
        monkeypatch.setattr(client, "post_predictions", lambda _project, answers: sent.extend(answers))
        refresh(workplace, project_of(store, studio), Stop(), lambda _: None)
    assert sorted(entry["task"] for entry in sent) == list(range(1, 41))
    assert all(0 < entry["score"] < 1 for entry in sent)
    choices = [region for entry in sent for region in entry["result"] if region["type"] == "choices"]
    assert any("价格" in region["value"]["choices"] for region in choices)  # the picture reads ¥99


def test_a_run_that_was_ended_goes_on(settings: Settings, store: Store, studio: WritableLabelStudio) -> None:
    publish_next(settings, store, studio)
    with pytest.raises(Interrupted):
        run(settings, studio, looks=2)
    assert studio.written == ["16 predictions", "16 predictions"]
    studio.fails_at = 1
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
            if self.left == 10**9 - 2:
                publish_next(settings, store, studio)

    with open_workplace(settings) as workplace:
        done = refresh(workplace, project_of(store, studio), Promoting(), lambda _: None)
    assert done.version.startswith("v1.")
    assert all(done.version in studio.versions_of(task) for task in studio.project.tasks)


def test_superseded_predictions_go_when_asked_for(
    settings: Settings, store: Store, studio: WritableLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_next(settings, store, studio)
    run(settings, studio)
    studio.store_prediction(2, f"{first}+fast")
    studio.store_prediction(2, "somebody-else")
    kept = studio.project.tasks[3].predictions[0].id
    number = studio.annotate(3, [])
    annotation = studio.project.tasks[3].annotations[0]
    monkeypatch.setattr(annotation, "body", lambda: {"id": number, "parent_prediction": kept})
    second = publish_next(settings, store, studio)
    assert run(settings, studio).deleted == 0
    assert studio.versions_of(5) == [first, second]
    deleting = label_studio.settings_of(tmp_path, studio, superseded_predictions="delete")
    assert run(deleting, studio).deleted == 40
    assert studio.versions_of(5) == [second]
    assert studio.versions_of(2) == ["somebody-else", second]
    assert studio.versions_of(3) == [first, second]


def test_a_task_whose_picture_is_late_keeps_what_it_has_and_stays_due(
    settings: Settings, store: Store, studio: WritableLabelStudio, tmp_path: Path
) -> None:
    first = publish_next(settings, store, studio)
    run(settings, studio)
    second = publish_next(settings, store, studio)
    image = studio.project.tasks[5].data["image"]
    studio.project.tasks[5].data["image"] = label_studio.BUSY
    deleting = label_studio.settings_of(tmp_path, studio, superseded_predictions="delete")
    done = run(deleting, studio)
    assert (done.unread, done.written, done.deleted) == (1, 39, 39)
    assert studio.versions_of(5) == [first]
    studio.project.tasks[5].data["image"] = image
    assert run(deleting, studio).written == 1
    assert studio.versions_of(5) == [second]


def test_labelled_tasks_may_be_left_out(settings: Settings, store: Store, studio: WritableLabelStudio) -> None:
    publish_next(settings, store, studio)
    studio.annotate(7, [])
    assert run(settings, studio, unlabelled_only=True).written == 39
    assert studio.versions_of(7) == []

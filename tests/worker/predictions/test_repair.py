"""Predictions that were made without the picture are put right once a setting lets it be read."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import worker.workplace
from labelstudio.changes import tasks_of
from testing.label_studio import payloads
from testing.label_studio.payloads import StoredPrediction
from testing.label_studio.writable import BUSY, WritableLabelStudio
from tests.backend.parts import Backend, running
from tests.worker import label_studio
from tests.worker.label_studio import Encoders
from worker.encoding import encode
from worker.pictures import picture_lines
from worker.watch import NeverEnds
from worker.workplace import open_workplace

TASKS = 6


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableLabelStudio]:
    monkeypatch.setattr(worker.workplace, "open_extractor", Encoders)
    with label_studio.opened(tmp_path, TASKS) as made:
        yield made


def place(studio: WritableLabelStudio, address: Callable[[str], str], *, title: str | None = None) -> None:
    """Put another address into each task, made from its picture's name."""
    for task in studio.project.tasks.values():
        task.data["image"] = address(Path(task.data["image"]).name)
        if title is not None:
            task.data["title"] = title


def answered(tmp_path: Path, studio: WritableLabelStudio, **settings: Any) -> dict[int, StoredPrediction]:
    """Label Studio connects a backend with these settings, asks for all predictions and stores them."""
    given = {"label_studio_url": studio.url, "label_studio_token": studio.token, **settings}
    with running(tmp_path, **given) as backend:
        return asked(studio, backend)


def asked(studio: WritableLabelStudio, backend: Backend) -> dict[int, StoredPrediction]:
    backend.setup(payloads.setup_body(studio.project, studio.url, studio.token))
    ids = list(studio.project.tasks)
    body = payloads.predict_body(studio.project, [studio.project.tasks[one] for one in ids])
    studio._keep(ids, backend.client.post("/predict", json=body).json()["results"])
    backend.settle()
    return {one: studio.project.tasks[one].predictions[-1] for one in ids}


def encoded(tmp_path: Path, studio: WritableLabelStudio, **settings: Any) -> tuple[str, list[str]]:
    """What an encoding with these settings says, and what is told of the project then."""
    made = label_studio.settings_of(tmp_path, studio).changed(**settings)
    with open_workplace(made) as workplace:
        store, key = workplace.store, str(studio.key)
        store.tasks.upsert(key, tasks_of([task.in_webhook() for task in studio.project.tasks.values()]))
        project = store.projects.get(key)
        assert project
        line = encode(workplace, project, NeverEnds(), lambda _: None)
        project = store.projects.get(key)
        assert project
        return line, picture_lines(store, project)


def is_whole(prediction: StoredPrediction) -> bool:
    """Whether the price that is read in each picture is given."""
    return any("价格" in region["value"].get("choices", []) for region in prediction.result)


def test_predictions_of_files_are_repaired_once_their_folder_is_allowed(
    tmp_path: Path, studio: WritableLabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    place(studio, lambda _: f"file://{tmp_path}/picture.png", title="")
    before = answered(tmp_path, studio)
    assert not any(one.result for one in before.values())
    _, lines = encoded(tmp_path, studio)
    (line,) = lines
    assert line.startswith(f"{TASKS} tasks without picture: ")
    assert str(tmp_path) in line
    assert "TAGLOOM_IMAGE_ROOTS" in line
    encoded(tmp_path, studio)
    logged = [record for record in caplog.records if "pictures cannot be read" in record.getMessage()]
    assert len(logged) == 1, "one line for all tasks and attempts"

    ids = {number: one.id for number, one in before.items()}
    said, lines = encoded(tmp_path, studio, image_roots=(tmp_path,))
    assert f"{TASKS} predictions without a picture rewritten" in said
    assert lines == []
    after = {number: task.predictions for number, task in studio.project.tasks.items()}
    assert {number: [one.id for one in stored] for number, stored in after.items()} == {
        number: [one] for number, one in ids.items()
    }, "in place"
    assert all(is_whole(one) for (one,) in after.values())
    assert {one.model_version for (one,) in after.values()} == {before[1].model_version}
    assert "rewritten" not in encoded(tmp_path, studio, image_roots=(tmp_path,))[0]


@pytest.mark.parametrize(
    ("address", "setting"),
    [("https://img.shop.test/{}", "TAGLOOM_IMAGE_HOSTS"), ("s3://shop-pictures/{}", "Cloud Storage")],
)
def test_what_to_change_is_told_for_hosts_and_storages(
    tmp_path: Path, studio: WritableLabelStudio, address: str, setting: str
) -> None:
    place(studio, address.format)
    answered(tmp_path, studio)
    (line,) = encoded(tmp_path, studio)[1]
    assert line.startswith(f"{TASKS} tasks without picture: ")
    assert setting in line


def test_predictions_are_repaired_once_the_token_is_right(tmp_path: Path, studio: WritableLabelStudio) -> None:
    wrong = SecretStr("wrong" * 8)
    with running(tmp_path, label_studio_url=studio.url, label_studio_token=wrong) as backend:
        asked(studio, backend)
        asked(studio, backend)
        shown = backend.client.get("/status").json()["projects"][0]["pictures"]
    assert all(len(task.predictions) == 2 for task in studio.project.tasks.values()), "a fast one and another"
    assert "LABEL_STUDIO_API_KEY" in "".join(shown)
    assert "wrongwrong" not in "".join(shown)
    encoded(tmp_path, studio)
    for task in studio.project.tasks.values():
        assert all(is_whole(one) and not one.model_version.endswith("+fast") for one in task.predictions)


def test_what_an_annotation_was_made_from_stays_and_other_tasks_are_repaired(
    tmp_path: Path, studio: WritableLabelStudio
) -> None:
    place(studio, lambda _: f"file://{tmp_path}/picture.png", title="")
    before = answered(tmp_path, studio)
    studio.annotate(1, [])
    studio.project.tasks[1].annotations[0].parent_prediction = before[1].id
    del studio.project.tasks[2]
    encoded(tmp_path, studio, image_roots=(tmp_path,))
    assert not is_whole(studio.project.tasks[1].predictions[0])
    assert all(is_whole(studio.project.tasks[number].predictions[0]) for number in range(3, TASKS + 1))


def test_what_label_studio_does_not_take_is_repaired_by_the_next_encoding(
    tmp_path: Path, studio: WritableLabelStudio
) -> None:
    place(studio, lambda _: f"file://{tmp_path}/picture.png", title="")
    answered(tmp_path, studio)
    studio.fails_at = 2
    encoded(tmp_path, studio, image_roots=(tmp_path,))
    assert not is_whole(studio.project.tasks[TASKS].predictions[0])
    encoded(tmp_path, studio, image_roots=(tmp_path,))
    assert all(is_whole(task.predictions[0]) for task in studio.project.tasks.values())


def test_while_no_picture_comes_no_version_is_loaded(
    tmp_path: Path, studio: WritableLabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    place(studio, lambda _: BUSY)
    answered(tmp_path, studio)
    # Loading one would fail, and the log would say so.
    shutil.rmtree(label_studio.settings_of(tmp_path, studio).paths.checkpoints)
    encoded(tmp_path, studio)
    assert "stay for now" not in caplog.text


def test_a_picture_that_never_comes_is_tried_ever_more_rarely(
    tmp_path: Path, studio: WritableLabelStudio, moved: Callable[[float], None]
) -> None:
    place(studio, lambda _: BUSY)
    answered(tmp_path, studio)
    key, pauses = str(studio.key), []
    with open_workplace(label_studio.settings_of(tmp_path, studio)) as workplace:
        for _ in range(6):
            encoded(tmp_path, studio)
            pause = 0.0
            while workplace.store.pictures.due() != [key]:
                moved(15.0)
                pause += 15.0
            pauses.append(pause)
        assert pauses == [60, 120, 240, 480, 600, 600]
        moved(-1.0)
        encoded(tmp_path, studio)
        workplace.store.pictures.hasten()
        assert workplace.store.pictures.due() == [key], "a process has started, perhaps with other settings"


def test_addresses_under_another_key_are_told_once(
    tmp_path: Path, studio: WritableLabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    for task in studio.project.tasks.values():
        task.data = {"title": task.data["image"]}
    assert all(is_whole(one) for one in answered(tmp_path, studio).values())
    for _ in range(2):
        (line,) = encoded(tmp_path, studio)[1]
    assert line.startswith(f"{TASKS} tasks: ")
    assert "'title'" in line
    assert "'image'" in line
    assert sum("stands under" in record.getMessage() for record in caplog.records) == 1


def test_of_addresses_under_many_keys_a_few_are_told(tmp_path: Path, studio: WritableLabelStudio) -> None:
    for number, task in studio.project.tasks.items():
        task.data = {f"picture {number}": task.data["image"]}
    answered(tmp_path, studio)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.encoding.MOST", 2)
        assert len(encoded(tmp_path, studio)[1]) == 2

"""What the encoding leaves behind for trainings and answers."""

import time
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import model.boxes.model
import worker.encoding
import worker.workplace
from labelstudio.changes import change_of, tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model import checkpoint
from model.boxes import described
from model.boxes.described import RECENT, Descriptions
from model.features.item import ItemFeatures
from model.items import Item
from store.tasks import Task
from tagloom_base.errors import UserError
from testing.label_studio.writable import BUSY, LATE
from tests.backend.parts import SPACE
from tests.store import webhooks
from tests.worker import label_studio
from tests.worker.label_studio import Encoders
from tests.worker.shop import cold_start
from worker import queue
from worker.encoding import encode
from worker.watch import Ends, Interrupted, NeverEnds, Watch
from worker.workplace import Workplace, open_workplace

TASKS = 3
LATER = "2050-01-01T00:00:00.000000Z"  # than the tasks were made


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Workplace, str, LabelConfig]]:
    """A project with tasks that nobody has read yet."""
    monkeypatch.setattr(worker.workplace, "open_extractor", Encoders)
    monkeypatch.setattr(RECENT, "_kept", OrderedDict())  # other tests may have described the same
    with label_studio.opened(tmp_path, TASKS) as studio:
        settings, key = label_studio.settings_of(tmp_path, studio), str(studio.key)
        with open_workplace(settings) as workplace:
            workplace.store.projects.ensure(key, studio.project.label_config)
            workplace.store.tasks.upsert(key, tasks_of([task.in_webhook() for task in studio.project.tasks.values()]))
            yield workplace, key, LabelConfig.parse(studio.project.label_config)


def test_what_was_read_is_described_for_the_version_that_serves(
    shop: tuple[Workplace, str, LabelConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace, key, config = shop
    project = workplace.store.projects.get(key)
    lease = workplace.store.leases.acquire("test", "test", 60)
    assert project is not None
    assert lease is not None
    with Watch(workplace.store, lease, queue.redis_of("redis://127.0.0.1:1/0"), lambda: None) as watch:
        assert encode(workplace, project, watch, lambda _: None).startswith(f"{TASKS} tasks encoded")

    settings = workplace.settings
    served = cold_start(settings, workplace.store, config.labels, key=key, space=SPACE, names=config.names)
    tagger = checkpoint.load(settings.paths.checkpoints / served.folder)
    files = list(workplace.settings.paths.features.rglob("*.safetensors"))
    items = [item for file in files if (item := workplace.cache.get(file.stem))]
    elsewhere = Descriptions()
    monkeypatch.setattr(model.boxes.model, "RECENT", elsewhere)
    monkeypatch.setattr(described, "candidates", _never)
    with elsewhere.kept_in(settings.paths.descriptions):
        assert any(prediction.boxes for prediction in tagger.predict(items))
    assert len(items) == TASKS


def label(workplace: Workplace, key: str, number: int, **data: str) -> None:
    entry = webhooks.annotation(number, number, 1, ("LOGO",))
    entry["result"][0]["from_name"] = "elements"
    (task,) = [task for task in workplace.store.tasks.all(key) if task.id == number]
    payload = task.payload()
    payload = {**payload, "data": {**payload["data"], **data}, "updated_at": LATER}
    body = {"action": "ANNOTATION_CREATED", "annotation": entry, "task": payload, "project": {}}
    workplace.store.journal.record(change_of(key, body), timeout=10)


def trained_without(workplace: Workplace, key: str, unread: int) -> None:
    """A training is over that could not have so many pictures."""
    project = workplace.store.projects.get(key)
    lease = workplace.store.leases.acquire("training", "test", 60)
    assert project
    assert lease
    workplace.store.projects.finish_training(key, project.gold_revision, lease, unread=unread)
    workplace.store.leases.release(lease)


def is_training_due(workplace: Workplace, key: str) -> bool:
    project = workplace.store.projects.get(key)
    assert project
    encode(workplace, project, NeverEnds(), lambda _: None)
    now = workplace.store.projects.get(key)
    assert now
    return now.has_new_gold


def test_gold_whose_picture_is_read_after_its_training_is_trained_on_again(
    shop: tuple[Workplace, str, LabelConfig],
) -> None:
    workplace, key, _ = shop
    label(workplace, key, 1)
    trained_without(workplace, key, 1)
    assert is_training_due(workplace, key)
    trained_without(workplace, key, 0)
    assert not is_training_due(workplace, key)


def test_so_is_gold_whose_picture_was_read_by_a_job_that_was_killed_then(
    shop: tuple[Workplace, str, LabelConfig],
) -> None:
    workplace, key, _ = shop
    assert not is_training_due(workplace, key)  # it only reads the pictures
    label(workplace, key, 1)
    trained_without(workplace, key, 1)  # by a training that began before
    assert is_training_due(workplace, key)


def test_a_picture_that_cannot_be_had_makes_no_training(shop: tuple[Workplace, str, LabelConfig]) -> None:
    workplace, key, _ = shop
    label(workplace, key, 1, image=BUSY)
    trained_without(workplace, key, 1)
    assert not is_training_due(workplace, key)
    assert not is_training_due(workplace, key)


@pytest.mark.slow
def test_pictures_that_never_come_keep_none_behind_them_waiting(
    shop: tuple[Workplace, str, LabelConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace, key, _ = shop
    for name, seconds in (("PART_S", 1.2), ("STEP_S", 0.0)):
        monkeypatch.setattr(worker.encoding, name, seconds)
    (good, *_) = workplace.store.tasks.all(key)
    tasks = [
        {"id": number, "data": {"image": f"{LATE}/12/{number}.png", "title": str(number)}} for number in range(100, 140)
    ]
    tasks += [{"id": number, "data": {**good.data, "title": str(number)}} for number in range(200, 216)]
    workplace.store.tasks.upsert(key, tasks_of(tasks))
    began = time.monotonic()
    jobs = [encoded(workplace, key, Turn()) for _ in range(2)]
    assert jobs == ["", ""]
    assert read(workplace, key) == [*range(1, TASKS + 1), *range(200, 216)]
    assert time.monotonic() - began < 12, "none of the others has come"


def test_a_picture_that_is_late_is_read_after_all_others(
    shop: tuple[Workplace, str, LabelConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace, key, _ = shop
    monkeypatch.setattr(worker.encoding, "PART_S", 0.4)
    late: dict[str, Any] = {"id": 50, "data": {"image": f"{LATE}/1/a.png", "title": "late"}}
    workplace.store.tasks.upsert(key, tasks_of([late]))
    assert encoded(workplace, key, Turn(1)) == "", "between the rounds"
    assert read(workplace, key) == [*range(1, TASKS + 1)]
    changed = {"id": 2, "data": {**late["data"], "title": "changed"}, "updated_at": LATER}
    workplace.store.tasks.upsert(key, tasks_of([changed]))
    assert encoded(workplace, key, NeverEnds()).startswith("2 tasks encoded, 0 without")
    assert read(workplace, key) == [*range(1, TASKS + 1), 50], "what was changed meanwhile, too"


def test_a_job_reads_no_task_that_the_last_one_has_read(
    shop: tuple[Workplace, str, LabelConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace, key, config = shop
    assert encoded(workplace, key, NeverEnds()).startswith(f"{TASKS} tasks encoded")
    tasks, asked = workplace.store.tasks, list[int]()
    some = tasks.some

    def noted(project_key: str, ids: Collection[int]) -> dict[int, Task]:
        asked.extend(ids)
        return some(project_key, ids)

    monkeypatch.setattr(tasks, "some", noted)
    monkeypatch.setattr(tasks, "all", _never)
    monkeypatch.setattr(tasks, "page", _never)
    assert encoded(workplace, key, NeverEnds()).startswith("0 tasks encoded")
    assert asked == []
    tasks.upsert(key, tasks_of([{"id": 50, "data": {"title": "new", "image": ""}}]))
    assert encoded(workplace, key, NeverEnds()).startswith("1 tasks encoded")
    assert set(asked) == {50}
    (task,) = some(key, [2]).values()
    parsed = ProjectKey.parse(key)
    name = item_key(parsed.connection, reference_of(config, task.payload(), parsed))
    (file,) = workplace.settings.paths.features.rglob(f"{name}.safetensors")
    file.unlink()
    assert encoded(workplace, key, NeverEnds()).startswith("1 tasks encoded"), "features that are lost are made again"
    assert set(asked) == {2, 50}


def encoded(workplace: Workplace, key: str, watch: Ends) -> str:
    """What one job says; empty where it was interrupted."""
    project = workplace.store.projects.get(key)
    assert project
    try:
        return encode(workplace, project, watch, lambda _: None)
    except Interrupted:
        return ""


def read(workplace: Workplace, key: str) -> list[int]:
    """Tasks that have features."""
    project, parsed = workplace.store.projects.get(key), ProjectKey.parse(key)
    assert project
    config = LabelConfig.parse(project.label_config)
    return [
        task.id
        for task in workplace.store.tasks.all(key)
        if workplace.cache.has(item_key(parsed.connection, reference_of(config, task.payload(), parsed)))
    ]


class Turn:
    """Over after some steps: other jobs wait."""

    def __init__(self, steps: int = 2) -> None:
        self._left = steps

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Interrupted("gave way to other jobs")


def _never(*_: object) -> None:
    raise AssertionError("a picture is described again")


def test_notes_on_pictures_reach_the_store(
    shop: tuple[Workplace, str, LabelConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace, key, config = shop
    extract = Encoders.extract

    def noting(self: Encoders, items: Sequence[Item]) -> list[ItemFeatures]:
        return [replace(features, notes=("upside down",)) for features in extract(self, items)]

    monkeypatch.setattr(Encoders, "extract", noting)
    payloads = [task.payload() for task in workplace.store.tasks.all(key)]
    workplace.encoder.features(ProjectKey.parse(key), config, payloads)
    assert workplace.store.picture_notes.of(key) == {"upside down": TASKS}


def test_an_encoding_that_fails_is_not_due_again_at_once(shop: tuple[Workplace, str, LabelConfig]) -> None:
    workplace, _, config = shop
    elsewhere, store = "gone/2.1", workplace.store
    store.projects.ensure(elsewhere, config.xml)
    store.tasks.upsert(elsewhere, tasks_of([webhooks.task(1)]))
    store.pictures.note(elsewhere, {1: "the host is not allowed"})
    store.pictures.hasten()
    project = store.projects.get(elsewhere)
    assert project
    with pytest.raises(UserError, match="'gone' is not configured"):
        encode(workplace, project, NeverEnds(), lambda _: None)
    assert store.pictures.due() == [], "the timer would else queue it every 3 s"

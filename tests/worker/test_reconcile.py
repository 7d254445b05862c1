import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

import worker.reconcile
from labelstudio.api import LabelStudioClient
from labelstudio.connection import Connection
from labelstudio.project import ProjectKey
from store.projects import Project
from store.store import Store
from tagloom.demo.simulator import SimulatedLabelStudio, Upload
from tests.worker.shop import CONFIG
from worker.reconcile import reconcile
from worker.training.watch import Interrupted

TAGS = [{"from_name": "elements", "to_name": "image", "type": "choices", "value": {"choices": ["LOGO"]}}]


class Stop:
    """A watch that lets so many looks pass."""

    def __init__(self, looks: int = 10**9) -> None:
        self._left = looks

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Interrupted("asked to stop")


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedLabelStudio]:
    """Label Studio whose webhooks all get lost: nobody listens where it sends them."""
    monkeypatch.setattr(worker.reconcile, "GRACE_S", -1.0)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with SimulatedLabelStudio(CONFIG, "http://127.0.0.1:1") as running:
        running.import_tasks([Upload(tmp_path / "a.png", {"title": f"t{number}"}) for number in range(230)])
        yield running


@pytest.fixture
def client(studio: SimulatedLabelStudio) -> Iterator[LabelStudioClient]:
    made = LabelStudioClient(Connection("default", studio.url, SecretStr(studio.token)))
    yield made
    made.close()


def key_of(studio: SimulatedLabelStudio) -> str:
    return str(ProjectKey("default", studio.project.id, int(studio.project.created.timestamp())))


def project_of(store: Store, studio: SimulatedLabelStudio) -> Project:
    return store.projects.ensure(key_of(studio), CONFIG)


def run(store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, looks: int = 10**9) -> str:
    seen: list[Any] = []
    return reconcile(store, client, project_of(store, studio), Stop(looks), seen.append)


def held(store: Store, studio: SimulatedLabelStudio) -> dict[int, set[int]]:
    annotations = store.annotations.of_project(key_of(studio))
    return {task: {entry["id"] for entry in entries} for task, entries in annotations.items()}


def truth(studio: SimulatedLabelStudio) -> dict[int, set[int]]:
    tasks = studio.project.tasks.values()
    return {task.id: {entry.id for entry in task.annotations} for task in tasks if task.annotations}


def test_lost_events_are_found(store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient) -> None:
    made = [studio.annotate(task, TAGS) for task in range(1, 221, 10)]
    run(store, studio, client)
    assert held(store, studio) == truth(studio)
    assert store.tasks.count(key_of(studio)) == 230
    studio.update(made[0], [])
    studio.delete(made[3:6])
    studio.delete_tasks([1, 2, 101, 112, 229])
    studio.annotate(5, TAGS, skip=True)
    assert "repairs" in run(store, studio, client)
    assert held(store, studio) == truth(studio)
    assert {task.id for task in store.tasks.all(key_of(studio))} == set(studio.project.tasks)


def test_nothing_changes_when_nothing_was_lost(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    studio.annotate(1, TAGS)
    run(store, studio, client)
    before = store.projects.get(key_of(studio))
    assert "0 repairs" in run(store, studio, client)
    after = store.projects.get(key_of(studio))
    assert before
    assert after
    assert after.gold_revision == before.gold_revision
    assert after.reconciled_at > before.reconciled_at > 0


def test_an_interrupted_run_goes_on_where_it_stopped(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    for task in (1, 150, 229):
        studio.annotate(task, TAGS)
    with pytest.raises(Interrupted):
        run(store, studio, client, looks=2)
    assert store.projects.waiting_for_reconcile(0.0) == [key_of(studio)]
    assert held(store, studio).keys() == {1, 150}
    studio.delete_tasks([1])  # behind us: the next full run finds it
    run(store, studio, client)
    assert store.projects.waiting_for_reconcile(0.0) == []
    assert held(store, studio).keys() == {1, 150, 229}
    run(store, studio, client)
    assert held(store, studio) == truth(studio)


def test_one_that_is_asked_for_since_it_stopped_begins_anew(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    with pytest.raises(Interrupted):
        run(store, studio, client, looks=2)
    studio.annotate(1, TAGS)
    store.projects.request_reconcile(key_of(studio))
    run(store, studio, client)
    assert held(store, studio).keys() == {1}


def test_what_was_heard_of_a_moment_ago_is_not_called_gone_until_a_later_look(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, studio, client)
    monkeypatch.setattr(worker.reconcile, "GRACE_S", 1.0)
    number = studio.annotate(1, TAGS)
    run(store, studio, client)
    assert held(store, studio) == {1: {number}}
    studio.delete([number])
    run(store, studio, client)
    assert held(store, studio) == {1: {number}}
    assert store.projects.waiting_for_reconcile(0.0) == []  # not yet
    time.sleep(1.1)
    assert store.projects.waiting_for_reconcile(0.0) == [key_of(studio)]
    run(store, studio, client)
    assert held(store, studio) == {}
    assert store.projects.waiting_for_reconcile(0.0) == []


def test_a_new_task_that_is_not_listed_is_looked_for_again(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.reconcile, "GRACE_S", 1.0)
    run(store, studio, client)
    studio.delete_tasks([150])
    run(store, studio, client)
    assert store.tasks.count(key_of(studio)) == 230
    time.sleep(1.1)
    assert store.projects.waiting_for_reconcile(0.0) == [key_of(studio)]
    run(store, studio, client)
    assert {task.id for task in store.tasks.all(key_of(studio))} == set(studio.project.tasks)
    assert store.projects.waiting_for_reconcile(0.0) == []


def test_another_project_of_the_same_number_is_told(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    store.projects.ensure("default/2.77", CONFIG)
    project = store.projects.get("default/2.77")
    assert project
    with pytest.raises(Exception, match="made at another time"):
        reconcile(store, client, project, Stop(), lambda _: None)

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from pydantic import SecretStr

import worker.reconcile
from labelstudio.api import LabelStudioClient
from labelstudio.changes import change_of
from labelstudio.connection import Connection
from labelstudio.project import ProjectKey
from store.leases import Lease, LeaseLost, lease_name
from store.projects import Project
from store.store import Store
from testing.label_studio.simulator import SimulatedLabelStudio, Upload
from tests.store import webhooks
from tests.worker.shop import CONFIG
from worker.reconcile import reconcile
from worker.watch import Interrupted

TAGS = [{"from_name": "elements", "to_name": "image", "type": "choices", "value": {"choices": ["LOGO"]}}]


class Stop:
    """A watch that lets so many looks pass, then does something: without anything else, ends the job."""

    def __init__(self, looks: int = 10**9, then: Callable[[], object] | None = None) -> None:
        self._left = looks
        self._then = then or _interrupt

    def check(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._then()


def _interrupt() -> None:
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


def lease_of(store: Store, studio: SimulatedLabelStudio) -> Lease:
    lease = store.leases.acquire(lease_name("reconcile", key_of(studio)), "test", ttl=60)
    assert lease
    return lease


def run(
    store: Store,
    studio: SimulatedLabelStudio,
    client: LabelStudioClient,
    looks: int = 10**9,
    then: Callable[[], object] | None = None,
) -> str:
    lease = lease_of(store, studio)
    return reconcile(store, client, project_of(store, studio), lease, Stop(looks, then), lambda _: None)


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


def test_an_interrupted_run_goes_on_where_it_stopped_and_what_was_asked_for_since_comes_after_it(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    for task in (1, 150, 229):
        studio.annotate(task, TAGS)
    with pytest.raises(Interrupted):
        run(store, studio, client, looks=2)
    assert store.projects.waiting_for_reconcile(0.0) == [key_of(studio)]
    assert held(store, studio).keys() == {1, 150}
    studio.annotate(2, TAGS)  # behind us: a whole run finds it
    store.projects.request_reconcile(key_of(studio), urgent=True)
    run(store, studio, client)
    assert held(store, studio).keys() == {1, 150, 229}
    assert store.projects.waiting_for_reconcile(0.0) == [key_of(studio)]
    run(store, studio, client)
    assert store.projects.waiting_for_reconcile(0.0) == []
    assert held(store, studio) == truth(studio)


@pytest.mark.parametrize("rests", [True, False])
def test_tasks_that_are_deleted_meanwhile_hide_no_others(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, rests: bool
) -> None:
    for task in range(150, 231, 10):
        studio.annotate(task, TAGS)

    def gone() -> None:
        studio.delete_tasks(list(range(1, 81)))

    if rests:
        with pytest.raises(Interrupted):
            run(store, studio, client, looks=1)
        gone()
        run(store, studio, client)
    else:
        run(store, studio, client, looks=1, then=gone)
    assert held(store, studio) == truth(studio)
    assert {task.id for task in store.tasks.all(key_of(studio))} >= set(studio.project.tasks)


def test_a_deletion_of_what_was_heard_of_a_moment_ago_is_found_by_the_same_run(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = studio.annotate(1, TAGS)
    run(store, studio, client)
    studio.delete([number])
    studio.delete_tasks([150, 230])
    monkeypatch.setattr(worker.reconcile, "GRACE_S", 1.0)
    began = time.monotonic()
    run(store, studio, client)
    assert 0.5 < time.monotonic() - began < 5
    assert held(store, studio) == {}
    assert {task.id for task in store.tasks.all(key_of(studio))} == set(studio.project.tasks)
    assert store.projects.waiting_for_reconcile(0.0) == []


def test_the_wait_for_what_is_certain_can_be_interrupted(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = studio.annotate(1, TAGS)
    run(store, studio, client)
    studio.delete([number])
    monkeypatch.setattr(worker.reconcile, "GRACE_S", 60.0)
    with pytest.raises(Interrupted):
        run(store, studio, client, looks=3)
    assert held(store, studio) == {1: {number}}


def test_what_comes_while_it_runs_is_neither_dropped_nor_waited_for(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.reconcile, "GRACE_S", 60.0)
    run(store, studio, client)

    def told_before_it_is_listed() -> None:
        body = webhooks.saved(webhooks.annotation(999, 120, 1), 1)
        store.journal.record(change_of(key_of(studio), body), timeout=10)

    began = time.monotonic()
    run(store, studio, client, looks=1, then=told_before_it_is_listed)
    assert time.monotonic() - began < 10
    assert held(store, studio) == {120: {999}}
    assert store.projects.waiting_for_reconcile(0.0) == []


def test_a_worker_whose_clock_is_behind_the_database_finds_deletions(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, moved: Callable[[float], None]
) -> None:
    moved(3600)
    number = studio.annotate(1, TAGS)
    run(store, studio, client)
    studio.delete([number])
    run(store, studio, client)
    assert held(store, studio) == {}


def test_what_a_label_studio_that_was_restored_from_a_backup_lists_holds(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    """What was deleted since is there again, also under ids that we hold for deleted; what was edited since is not."""
    edited, deleted, _ = (studio.annotate(task, TAGS) for task in (1, 2, 3))
    run(store, studio, client)
    before = store.annotations.of_project(key_of(studio))
    backup = copy.deepcopy(studio.project.tasks)
    studio.update(edited, [])
    studio.delete([deleted])
    studio.delete_tasks([3, 230])
    studio.annotate(4, TAGS)
    run(store, studio, client)
    assert held(store, studio).keys() == {1, 4}
    studio.project.tasks = backup
    run(store, studio, client)
    assert store.annotations.of_project(key_of(studio)) == before
    assert {task.id for task in store.tasks.all(key_of(studio))} == set(studio.project.tasks)
    assert "0 repairs" in run(store, studio, client)


def test_a_deletion_that_is_newer_than_the_list_stays(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = studio.annotate(1, TAGS)
    run(store, studio, client)
    monkeypatch.setattr(worker.reconcile, "GRACE_S", 60.0)
    for body in (webhooks.deleted(number), webhooks.tasks_deleted(230)):  # told before the transaction there is over
        store.journal.record(change_of(key_of(studio), body), timeout=10)
    run(store, studio, client)
    assert held(store, studio) == {}
    assert store.tasks.count(key_of(studio)) == 229


def test_whose_lease_is_lost_marks_nothing_as_compared(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    def taken() -> None:
        store.leases.revoke(lease_name("reconcile", key_of(studio)))

    with pytest.raises(LeaseLost):
        run(store, studio, client, looks=1, then=taken)
    studio.annotate(1, TAGS)
    run(store, studio, client)
    assert held(store, studio) == {}  # the first page was compared under a lease that held
    lease = lease_of(store, studio)
    store.leases.revoke(lease.name)
    store.projects.request_reconcile(key_of(studio), urgent=True)
    with pytest.raises(LeaseLost):
        store.projects.finish_reconcile(key_of(studio), lease)
    assert store.projects.waiting_for_reconcile(0.0) == [key_of(studio)]


def test_a_project_that_is_gone_is_told_once(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    key = "default/77.1795288797"
    project = store.projects.ensure(key, CONFIG)
    lease = store.leases.acquire("reconcile", "test", ttl=60)
    assert lease
    assert "no such project" in reconcile(store, client, project, lease, Stop(), lambda _: None)
    assert store.projects.waiting_for_reconcile(60.0) == []


def test_another_project_of_the_same_number_is_none(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient, caplog: pytest.LogCaptureFixture
) -> None:
    project = store.projects.ensure("default/2.77", CONFIG)
    assert "no such project" in reconcile(store, client, project, lease_of(store, studio), Stop(), lambda _: None)
    assert "check LABEL_STUDIO_URL" in caplog.text
    assert store.projects.gone() == {"default/2.77"}


def test_a_gone_project_rests_until_it_is_there_again(
    store: Store, studio: SimulatedLabelStudio, client: LabelStudioClient
) -> None:
    run(store, studio, client)
    key = key_of(studio)
    store.projects.request_training(key)
    store.projects.note_presence(key, is_there=False)
    store.projects.request_reconcile(key, urgent=True)
    assert store.projects.waiting_for_training() == []
    assert store.projects.waiting_for_reconcile(1e-9) == []
    gone = store.projects.get(key)
    assert gone
    assert gone.gone_at
    studio.annotate(1, TAGS)
    reconcile(store, client, gone, lease_of(store, studio), Stop(), lambda _: None)
    assert store.projects.waiting_for_training() == [key]
    assert held(store, studio) == truth(studio)

import itertools
import json
import random
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from labelstudio.changes import MOST_ENTRIES, MOST_REGIONS, change_of
from store import journal
from store.changes import Change
from store.database import PATIENCE_S
from store.journal import Journal, JournalError
from store.state import lock_project
from store.store import Store
from store.tables import EVENTS, PROJECTS
from testing.waiting import until
from tests.databases import BOTH, DATABASES, new_database
from tests.store import webhooks

KEY, OTHER = "default/2.1795288797", "default/3.1795288797"
ids = itertools.count()


def record(store: Store, *bodies: dict[str, Any], key: str = KEY) -> None:
    for body in bodies:
        store.journal.record(change_of(key, body), timeout=10)


def labels(store: Store, key: str = KEY) -> dict[int, dict[int, Any]]:
    """Task → annotation → what it says."""
    return {
        task: {entry["id"]: (entry["was_cancelled"], entry["ground_truth"], entry["result"]) for entry in entries}
        for task, entries in store.annotations.of_project(key).items()
    }


def revision(store: Store) -> int:
    project = store.projects.get(KEY)
    assert project
    return project.gold_revision


@pytest.fixture(scope="module", params=DATABASES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with new_database(request.param, request, tmp_path_factory.mktemp("store")) as url:
        opened = Store.open(url)
        yield opened
        opened.close()


class LabelStudio:
    """The truth: applies random operations and remembers the webhooks it sent."""

    def __init__(self) -> None:
        self.second = 0
        self.tasks: dict[int, dict[str, Any]] = {}
        self.annotations: dict[int, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self.numbers = itertools.count(1)

    def play(self, operation: str, pick: int) -> None:
        self.second += 1
        if operation == "create" or not self.annotations:
            self._save(webhooks.annotation(next(self.numbers), 1 + pick % 5, self.second, (f"l{pick}",)), "CREATED")
            return
        old = self.annotations[sorted(self.annotations)[pick % len(self.annotations)]]
        if operation in ("delete", "delete_task"):
            getattr(self, f"_{operation}")(old)
            return
        changes: dict[str, dict[str, Any]] = {
            "edit": {"result": [{"value": {"choices": [f"e{pick}"]}}]},
            "skip": {"was_cancelled": not old["was_cancelled"]},
            "truth": {"ground_truth": not old["ground_truth"]},
        }
        self._save({**old, "updated_at": webhooks.stamp(self.second), **changes[operation]}, "UPDATED")

    def labels(self) -> dict[int, dict[int, Any]]:
        found: dict[int, dict[int, Any]] = {}
        for entry in self.annotations.values():
            said = (entry["was_cancelled"], entry["ground_truth"], entry["result"])
            found.setdefault(entry["task"], {})[entry["id"]] = said
        return found

    def _save(self, entry: dict[str, Any], action: str) -> None:
        while entry["task"] in self.tasks and self.tasks[entry["task"]] == {}:
            entry["task"] += 5  # a deleted task's id never comes back
        self.annotations[entry["id"]] = entry
        self.tasks[entry["task"]] = webhooks.task(entry["task"], self.second)
        self.sent.append(webhooks.saved(entry, self.second, f"ANNOTATION_{action}"))

    def _delete(self, entry: dict[str, Any]) -> None:
        del self.annotations[entry["id"]]
        self.sent.append(webhooks.deleted(entry["id"]))

    def _delete_task(self, entry: dict[str, Any]) -> None:
        self.annotations = {n: other for n, other in self.annotations.items() if other["task"] != entry["task"]}
        self.tasks[entry["task"]] = {}
        self.sent.append(webhooks.tasks_deleted(entry["task"]))


OPERATIONS = st.sampled_from(["create", "create", "edit", "skip", "truth", "delete", "delete_task"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 9)), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_events_ends_in_the_truth(
    shared: Store, operations: list[tuple[str, int]], chance: random.Random
) -> None:
    truth = LabelStudio()
    for operation, pick in operations:
        truth.play(operation, pick)
    deliveries = truth.sent + chance.sample(truth.sent, chance.randint(0, len(truth.sent)))
    chance.shuffle(deliveries)
    key = f"default/2.{next(ids)}"
    record(shared, *deliveries, key=key)
    assert labels(shared, key) == truth.labels()
    alive = {task.id for task in shared.tasks.all(key)}
    assert alive == {task_id for task_id, task in truth.tasks.items() if task}


def test_equal_stamps_end_the_same_in_either_order(store: Store) -> None:
    first = webhooks.saved(webhooks.annotation(1, 1, 5, ("a",)), 5)
    second = webhooks.saved(webhooks.annotation(1, 1, 5, ("b",)), 5)
    record(store, first, second, key="default/2.1")
    record(store, second, first, key="default/2.2")
    assert labels(store, "default/2.1") == labels(store, "default/2.2")


def test_a_stamp_without_fraction_is_in_order(store: Store) -> None:
    record(store, webhooks.saved(webhooks.annotation(1, 1, 3, ("new",)), 3))  # ….5Z
    record(store, webhooks.saved(webhooks.annotation(1, 1, 2, ("old",)), 2))  # …Z
    assert labels(store)[1][1][2][0]["value"]["choices"] == ["new"]


def test_gold_revision_grows_with_gold_and_only_with_gold(store: Store) -> None:
    created = webhooks.saved(webhooks.annotation(1, 1, 1), 1)
    record(store, created)
    assert revision(store) == 1
    record(store, created)
    record(store, webhooks.saved(webhooks.annotation(2, 2, 2, was_cancelled=True), 2))
    record(store, {"action": "TASKS_CREATED", "tasks": [webhooks.task(7)], "project": webhooks.project()})
    assert revision(store) == 1
    record(store, webhooks.saved(webhooks.annotation(1, 1, 3, ground_truth=True), 3, "ANNOTATION_UPDATED"))
    assert revision(store) == 2
    record(store, webhooks.deleted(1), webhooks.deleted(1))
    assert revision(store) == 3


def test_the_newest_event_of_an_action_has_the_highest_number(store: Store) -> None:
    updated = {"action": "PROJECT_UPDATED", "project": webhooks.project()}
    before = store.journal.newest(KEY, "PROJECT_UPDATED")
    record(store, webhooks.saved(webhooks.annotation(1, 1, 1), 1))
    assert store.journal.newest(KEY, "PROJECT_UPDATED") == before
    record(store, updated)
    first = store.journal.newest(KEY, "PROJECT_UPDATED")
    record(store, updated)
    assert before < first < store.journal.newest(KEY, "PROJECT_UPDATED")
    assert store.journal.newest("default/9.1", "PROJECT_UPDATED") == 0


def test_bulk_creation_under_the_singular_key(store: Store) -> None:
    body = {
        "action": "ANNOTATIONS_CREATED",
        "annotation": [webhooks.annotation(number, number, 1) for number in range(1, 1201)],
        "task": [webhooks.task(number) for number in range(1, 1201)],
        "project": webhooks.project(),
    }
    record(store, body)
    assert len(labels(store)) == 1200
    assert revision(store) == 1


def test_a_late_config_does_not_replace_a_newer_one(store: Store) -> None:
    for second, config in ((5, "<new/>"), (3, "<old/>")):
        record(store, {"action": "PROJECT_UPDATED", "project": webhooks.project(config, second)})
    project = store.projects.get(KEY)
    assert project
    assert project.label_config == "<new/>"


def test_an_unreadable_event_is_logged_and_harms_no_other(store: Store) -> None:
    odd = {"action": "ANNOTATION_CREATED", "annotation": {"id": "x"}, "task": None, "project": webhooks.project()}
    lone = webhooks.saved(webhooks.annotation(2, 1, 1, ("\ud800\x00",)), 1)
    record(store, odd, lone, webhooks.saved(webhooks.annotation(1, 1, 1), 1))
    assert set(labels(store)[1]) == {1, 2}
    assert len(events(store)) == 3


def test_secrets_do_not_reach_the_disk(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'tagloom.db'}")
    body = webhooks.saved(webhooks.annotation(1, 1, 1), 1) | {"access_token": "secret-access"}
    record(store, body)
    store.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ANNOTATION_CREATED" in written
    assert b"secret-" not in written


def test_many_submitters_share_commits_and_all_are_durable(store: Store) -> None:
    def submit(number: int) -> None:
        record(store, webhooks.saved(webhooks.annotation(number, number, 1), 1))
        done.append(number)

    done: list[int] = []
    threads = [threading.Thread(target=submit, args=(number,)) for number in range(1, 101)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(1, 101))
    assert len(events(store)) == 100
    assert len(labels(store)) == 100


def test_a_refused_commit_is_told_and_later_ones_go_through(store: Store) -> None:
    record(store, webhooks.saved(webhooks.annotation(1, 1, 1), 1))
    with store._database.write() as other:
        other.exec_driver_sql("ALTER TABLE events RENAME TO hidden")
    with pytest.raises(JournalError):
        record(store, webhooks.saved(webhooks.annotation(2, 2, 1), 1))
    with store._database.write() as other:
        other.exec_driver_sql("ALTER TABLE hidden RENAME TO events")
    record(store, webhooks.saved(webhooks.annotation(3, 3, 1), 1))
    assert set(labels(store)) == {1, 3}


def test_closing_commits_what_waits_and_recording_again_starts_anew(store: Store) -> None:
    record(store, webhooks.saved(webhooks.annotation(1, 1, 1), 1))
    store.journal.close()
    record(store, webhooks.saved(webhooks.annotation(2, 2, 1), 1))
    assert set(labels(store)) == {1, 2}


@pytest.mark.parametrize(("at_once", "transactions"), [(1000, 1), (2, 3), (5, 2)])
def test_pruning_keeps_the_state_and_is_done_in_short_transactions(
    store: Store, monkeypatch: pytest.MonkeyPatch, at_once: int, transactions: int
) -> None:
    monkeypatch.setattr(journal, "PRUNED_AT_ONCE", at_once)
    record(store, *[webhooks.saved(webhooks.annotation(number, number, 1), 1) for number in range(1, 6)])
    assert store.journal.prune(before=0.0) == 0
    commits: list[object] = []
    event.listen(store._database.engine, "commit", lambda connection: commits.append(connection))
    assert store.journal.prune(before=1e12) == 5
    assert len(commits) == transactions
    assert events(store) == []
    assert set(labels(store)) == set(range(1, 6))


def events(store: Store) -> list[tuple[str, str]]:
    with store._database.read() as connection:
        return [(row.action, row.failure) for row in connection.execute(select(EVENTS.c.action, EVENTS.c.failure))]


def test_the_log_keeps_no_picture_with_each_event(store: Store) -> None:
    body = webhooks.saved(webhooks.annotation(1, 1, 0), 0)
    body["task"]["data"]["image"] = picture = "data:image/png;base64," + "A" * 1_000_000
    body["annotation"]["result"] *= 5_000
    store.journal.record(change_of(KEY, body), timeout=10)
    with store._database.read() as connection:
        (kept,) = connection.execute(select(EVENTS.c.body)).scalars()
    assert len(kept) < 50_000
    assert json.loads(kept)["annotation"]["id"] == 1
    assert store.tasks.all(KEY)[0].data["image"] == picture
    assert len(store.annotations.of_project(KEY)[1][0]["result"]) == 5_000


@pytest.mark.parametrize("url", BOTH, indirect=True)
def test_text_that_a_database_refuses_spoils_no_commit(store: Store) -> None:
    """PostgreSQL takes no NUL, and no database a lone surrogate."""
    odd = {**webhooks.saved(webhooks.annotation(1, 1, 1), 1), "action": "ANNOTATION_\0CREATED\ud800"}
    changes = [change_of(OTHER, odd), change_of(KEY, webhooks.saved(webhooks.annotation(2, 1, 1), 1))]
    assert together(store, changes) == [None, None]
    with store._database.read() as connection:
        assert set(connection.execute(select(EVENTS.c.action)).scalars()) == {
            "ANNOTATION_\ufffdCREATED\ufffd",
            "ANNOTATION_CREATED",
        }


@pytest.mark.parametrize("url", BOTH, indirect=True)
def test_the_fault_of_one_event_is_its_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = journal._entry

    def without_time(change: Change, failure: str, at: float) -> dict[str, object]:
        return {**entry(change, failure, at), **({"received_at": None} if change.action == "ODD" else {})}

    monkeypatch.setattr(journal, "_entry", without_time)
    bodies = [webhooks.saved(webhooks.annotation(number, 1, 1), number) for number in range(1, 6)]
    odd = {**bodies[2], "action": "ODD"}
    keys = [KEY, OTHER, KEY, KEY, OTHER]
    changes = [change_of(*pair) for pair in zip(keys, [*bodies[:2], odd, *bodies[3:]], strict=True)]
    failures = together(store, changes)
    assert [place for place, failure in enumerate(failures) if failure] == [2]
    with store._database.read() as connection:
        assert connection.execute(select(func.count()).select_from(EVENTS)).scalar() == 4


def test_a_locked_database_is_told_soon_and_the_event_comes_later(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    change = change_of(KEY, webhooks.saved(webhooks.annotation(1, 1, 1), 1))
    with store._database.write() as connection:
        lock_project(connection, KEY)
        began = time.monotonic()
        with pytest.raises(JournalError, match="not durable"):
            store.journal.record(change, timeout=0.8)
        assert time.monotonic() - began < 1.5
    store.journal.close()
    assert list(labels(store)) == [1]


def test_closing_while_the_database_is_locked_ends_once_the_event_is_stored(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    with store._database.write() as connection:
        lock_project(connection, KEY)
        with pytest.raises(JournalError, match="not durable"):
            store.journal.record(change_of(KEY, webhooks.saved(webhooks.annotation(1, 1, 1), 1)), timeout=0.1)
        closing = threading.Thread(target=store.journal.close, daemon=True)
        closing.start()
        time.sleep(1.0)  # it has looked for more, in vain, by now
    closing.join(10)
    assert not closing.is_alive()
    assert list(labels(store)) == [1]


def test_an_event_is_not_tried_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PATIENCE_S", 0.5)
    store.projects.ensure(KEY, "<View/>")
    with store._database.write() as connection:
        lock_project(connection, KEY)
        with pytest.raises(JournalError, match="lock"):
            store.journal.record(change_of(KEY, webhooks.saved(webhooks.annotation(1, 1, 1), 1)), timeout=10)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite locks all projects together
def test_a_locked_project_holds_up_itself_alone(store: Store) -> None:
    keys = [f"default/{number}.1" for number in range(10, 14)]
    for key in keys:
        store.projects.ensure(key, "<View/>")
    body = webhooks.saved(webhooks.annotation(1, 1, 1), 1)
    with store._database.write() as connection:
        for key in keys:
            lock_project(connection, key)
        for change in [change_of(key, body) for key in keys] * 100:  # more than a group holds
            with pytest.raises(JournalError, match="not durable"):
                store.journal.record(change, timeout=0)
        waited = []
        for _ in range(5):
            began = time.monotonic()
            store.journal.record(change_of(OTHER, body), timeout=PATIENCE_S)
            waited.append(time.monotonic() - began)
        # Label Studio waits for a second. One of five may meet a machine that stands still for a moment.
        assert statistics.median(waited) < 0.8
    store.journal.close()
    assert [list(labels(store, key)) for key in (*keys, OTHER)] == [[1]] * 5


def test_an_event_too_large_to_be_applied_while_label_studio_waits_is_left_to_reconcile(store: Store) -> None:
    lease = store.leases.acquire("reconcile", "a", 10)
    assert lease
    store.projects.ensure(KEY, "<View/>")
    store.projects.begin_reconcile(KEY)
    store.projects.finish_reconcile(KEY, lease)
    tasks = [webhooks.task(number, 1, "a") for number in range(1, MOST_ENTRIES + 2)]
    record(store, {"action": "TASKS_UPDATED", "tasks": tasks[:-1]})
    assert len(store.tasks.heard_of(KEY, 0, MOST_ENTRIES + 2)) == MOST_ENTRIES
    asked = select(PROJECTS.c.reconcile_asked_at > 0)
    with store._database.read() as connection:
        assert not connection.execute(asked).scalar()
    record(store, {"action": "TASKS_UPDATED", "tasks": tasks})
    assert len(store.tasks.heard_of(KEY, 0, MOST_ENTRIES + 2)) == MOST_ENTRIES
    with store._database.read() as connection:
        assert connection.execute(asked).scalar()
    regions = [{"value": {"choices": ["a"]}}] * (MOST_REGIONS + 1)
    record(store, webhooks.saved({**webhooks.annotation(1, 1, 1), "result": regions}, 1))
    assert labels(store) == {}


def together(store: Store, changes: list[Change], timeout: float = 10.0) -> list[JournalError | None]:
    """Record changes in one group; how each of them failed."""
    own = Journal(store._database)

    def one(change: Change) -> JournalError | None:
        try:
            own.record(change, timeout)
        except JournalError as error:
            return error
        return None

    thread = own._thread = threading.Thread(target=own._run)  # started once all of them wait
    with ThreadPoolExecutor(len(changes)) as pool:
        found = [pool.submit(one, change) for change in changes]
        until(lambda: own._pending.qsize() == len(changes), seconds=10)
        thread.start()
        failures = [future.result() for future in found]
    own.close()
    return failures

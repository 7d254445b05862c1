"""Writers of one project take turns: what one has read is not written over behind its back."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from labelstudio.changes import annotation_state, change_of, task_state, tasks_of
from store import journal, state
from store.store import Store
from store.tables import PROJECTS
from tests.store import webhooks

KEY, OTHER = "default/2.1", "default/3.1"

Write = Callable[[Store], object]
OLD = annotation_state(webhooks.annotation(1, 1, 1, ("old",)))
WRITES: dict[str, Write] = {
    "annotations": lambda store: store.annotations.apply(KEY, [OLD]),
    "deleted annotations": lambda store: store.annotations.delete(KEY, [1]),
    "tasks": lambda store: store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 1, "old")])),
    "deleted tasks": lambda store: store.tasks.delete(KEY, [1]),
    "webhooks": lambda store: record(store, webhooks.saved(webhooks.annotation(1, 1, 1, ("old",)), 1)),
}


def record(store: Store, *bodies: dict[str, object], key: str = KEY) -> None:
    for body in bodies:
        store.journal.record(change_of(key, body), timeout=10)


def lock(connection: Connection, key: str) -> None:
    connection.execute(select(PROJECTS.c.key).where(PROJECTS.c.key == key).with_for_update())


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_writer_reads_nothing_before_it_is_its_turn(store: Store, write: Write) -> None:
    """The other writes a newer state while this one waits; here it would be lost if that had been read before."""
    store.projects.ensure(KEY, "<View/>")
    newer = webhooks.annotation(1, 1, 2, ("new",)), webhooks.task(1, 2, "new")
    with store._database.write() as connection:
        lock(connection, KEY)
        late = threading.Thread(target=write, args=(store,))
        late.start()
        late.join(0.3)
        assert late.is_alive()
        state.apply_tasks(connection, KEY, [task_state(newer[1])], 1.0)
        state.apply_annotations(connection, KEY, [annotation_state(newer[0])], 1.0)
    late.join(10)
    assert not late.is_alive()
    for task in store.tasks.all(KEY):
        assert task.data["title"] == "new"
    for entries in store.annotations.of_project(KEY).values():
        assert [entry["result"][0]["value"]["choices"] for entry in entries] == [["new"]]


def test_two_backends_with_events_of_the_same_projects_do_not_wait_for_each_other(store: Store, url: str) -> None:
    other = Store.open(url)
    failures: list[Exception] = []

    def send(backend: Store, keys: list[str]) -> None:
        changes = [change_of(key, webhooks.saved(webhooks.annotation(1, 1, 1), 1)) for key in keys]
        try:
            for _ in range(30):
                with backend._database.write() as connection:
                    journal._record(connection, changes)
        except OperationalError as error:
            failures.append(error)

    orders = (store, [KEY, OTHER]), (other, [OTHER, KEY])
    for key in (KEY, OTHER):
        store.projects.ensure(key, "<View/>")
    threads = [threading.Thread(target=send, args=order) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert failures == []


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite's readers wait for nobody
def test_a_reader_waits_for_a_locked_table_no_longer_than_it_may(url: str) -> None:
    store, other = Store.open(url), Store.open(url, patience=0.2)
    with store._database.write() as connection:
        connection.execute(text("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            other.projects.all()
    assert other.projects.all() == []
    other.close()
    store.close()

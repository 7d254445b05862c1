import time
from collections.abc import Callable

import pytest
from sqlalchemy import update

from labelstudio.changes import annotation_state, change_of, tasks_of
from store.database import Database
from store.store import Store
from store.tables import ANNOTATIONS, TASKS
from tests.store import webhooks

KEY = "default/2.1"


def test_annotations_come_oldest_first_in_label_studios_shape(store: Store) -> None:
    for number, second in ((1, 5), (2, 3)):
        body = webhooks.saved(webhooks.annotation(number, 1, second), second)
        store.journal.record(change_of(KEY, body), timeout=10)
    older, newer = store.annotations.of_project(KEY)[1]
    assert (older["id"], newer["id"]) == (2, 1)
    assert older["updated_at"] == "2026-11-21T00:00:01.500000Z"
    assert newer["result"] == webhooks.annotation(1, 1, 5)["result"]
    assert store.annotations.of_project(KEY, [1]) == store.annotations.of_project(KEY)
    assert store.annotations.of_project(KEY, [2]) == {}


def test_tasks_with_an_annotation_that_was_not_skipped_are_told_apart(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(number) for number in range(1, 5)]))
    skipped = {**webhooks.annotation(1, 1, 1), "was_cancelled": True, "result": []}
    # The words of a skipped one may stand in a text, too.
    quoted = webhooks.annotation(2, 2, 1, ('"was_cancelled":true}',))
    again = {**webhooks.annotation(3, 3, 1), "was_cancelled": True}
    entries = [skipped, quoted, again, webhooks.annotation(4, 3, 2), webhooks.annotation(5, 4, 1)]
    store.annotations.apply(KEY, [annotation_state(entry) for entry in entries])
    store.annotations.delete(KEY, [5])
    assert store.annotations.labelled(KEY) == {2, 3}
    assert store.annotations.task_ids(KEY) == {1, 2, 3}


def test_annotations_of_more_tasks_than_one_statement_takes(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1)]))
    store.annotations.apply(KEY, [annotation_state(webhooks.annotation(1, 1, 1))])
    assert store.annotations.of_project(KEY, range(1, 40_000)) == store.annotations.of_project(KEY)
    assert store.annotations.of_project(KEY, []) == {}


def test_a_list_without_annotations_takes_no_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.projects.ensure(KEY, "<View/>")

    def never(_database: Database) -> None:
        pytest.fail("a lock is taken")

    monkeypatch.setattr(Database, "write", never)
    assert store.annotations.apply(KEY, []) == 0


def test_what_the_api_says_is_joined_and_told_whether_it_was_news(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1)]))
    states = [annotation_state(webhooks.annotation(1, 1, 1))]
    assert store.annotations.apply(KEY, states)
    assert not store.annotations.apply(KEY, states)
    heard_of = store.annotations.heard_of(KEY, [1, 2])
    assert heard_of == {1: pytest.approx(time.time(), abs=60)}
    assert store.annotations.heard_of(KEY, [2]) == {}
    assert store.annotations.delete(KEY, [1])
    assert store.annotations.of_project(KEY) == {}


def test_seconds_are_kept_beside_an_annotation_and_are_no_news_of_its_gold(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1)]))
    told = webhooks.annotation(1, 1, 1)
    # As a database of an earlier release has it.
    store.annotations.apply(KEY, [annotation_state({**told, "lead_time": None})])
    assert store.annotations.of_project(KEY)[1][0]["lead_time"] is None
    assert store.annotations.apply(KEY, [annotation_state({**told, "lead_time": 12.5})]) == 0
    assert store.annotations.of_project(KEY)[1][0]["lead_time"] == 12.5
    for nonsense in ("x", True, -1, float("nan"), 1e300, [3]):
        assert annotation_state({**told, "lead_time": nonsense}).lead_seconds is None


def test_a_list_overrules_what_was_heard_of_before_and_nothing_newer(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1)]))
    listed = [annotation_state(webhooks.annotation(1, 1, 1))]
    edited = [annotation_state(webhooks.annotation(1, 1, 2, ("b",)))]
    store.annotations.apply(KEY, edited)
    early = store.now() - 60
    assert store.annotations.apply(KEY, listed, settled=early) == 0
    assert store.annotations.apply(KEY, listed, settled=store.now()) == 1
    assert store.annotations.of_project(KEY)[1][0]["result"] == listed[0].result
    store.annotations.delete(KEY, [1])
    assert store.annotations.apply(KEY, listed, settled=early) == 0
    assert store.annotations.of_project(KEY) == {}
    assert store.annotations.apply(KEY, listed, settled=store.now()) == 1
    assert store.annotations.of_project(KEY).keys() == {1}


def test_of_a_repeated_deletion_the_last_one_counts(store: Store, moved: Callable[[float], None]) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1)]))
    store.annotations.delete(KEY, [1])
    between = store.now()
    moved(1)
    store.journal.record(change_of(KEY, webhooks.deleted(1)), timeout=10)
    assert store.annotations.apply(KEY, [annotation_state(webhooks.annotation(1, 1, 1))], settled=between) == 0
    assert store.annotations.of_project(KEY) == {}


ODD_STAMPS: list[object] = [
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999",
    "0001-01-01",
    "2026-W01-1",
    "-1",
    "",
    "\ud800",
    None,
    [],
    10**4000,
]


@pytest.mark.parametrize("stamp", ODD_STAMPS)
def test_whatever_stamp_is_taken_can_be_read_again(store: Store, stamp: object) -> None:
    body = webhooks.saved(webhooks.annotation(1, 1, 0, updated_at=stamp, created_at=stamp), 0)
    body["task"]["updated_at"] = body["project"]["updated_at"] = stamp
    store.journal.record(change_of(KEY, body), timeout=10)
    (entry,) = store.annotations.of_project(KEY)[1]
    assert len(entry["updated_at"]) == len("2026-11-21T00:00:01.500000Z")


def test_dates_of_any_year_sort_as_text(store: Store) -> None:
    stamps = ["0001-01-01T00:00:00+14:00", "0099-01-01", "1969-12-31", "2026-01-01", "9999-12-31T23:59:59-14:00"]
    for number, stamp in enumerate(stamps, 1):
        body = webhooks.saved(webhooks.annotation(number, 1, 0, updated_at=stamp), 0)
        store.journal.record(change_of(KEY, body), timeout=10)
    read = [entry["updated_at"] for entry in store.annotations.of_project(KEY)[1]]
    assert read == sorted(read)
    assert [text[:4] for text in read] == ["0001", "0099", "1969", "2026", "9999"]


def test_a_home_that_holds_odd_rows_is_read(store: Store) -> None:
    """Stamps and nesting that earlier releases took."""
    for number in (1, 2, 3):
        body = webhooks.saved(webhooks.annotation(number, number, 0), 0)
        store.journal.record(change_of(KEY, body), timeout=10)
    deep = "[" * 5000 + "]" * 5000
    with store._database.write() as connection:
        of = ANNOTATIONS.c.annotation_id
        connection.execute(update(ANNOTATIONS).where(of == 1).values(updated_us=253402351199000000))
        connection.execute(update(ANNOTATIONS).where(of == 2).values(content=f'{{"result":{deep}}}'))
        connection.execute(update(TASKS).where(TASKS.c.task_id == 3).values(data=f'{{"a":{deep}}}'))
    assert store.annotations.of_project(KEY)[1][0]["updated_at"] == "9999-12-31T23:59:59.999999Z"
    assert 2 not in store.annotations.of_project(KEY)
    assert [task.id for task in store.tasks.all(KEY)] == [1, 2]


def test_an_entry_that_is_too_deep_to_be_read_again_is_left_out_with_a_word(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    deep: list[object] = []
    for _ in range(200):
        deep = [deep]
    body = webhooks.saved(webhooks.annotation(1, 1, 0, result=deep), 0)
    store.journal.record(change_of(KEY, body), timeout=10)
    assert store.annotations.of_project(KEY) == {}
    assert "deeper than" in caplog.text
    store.tasks.upsert(KEY, tasks_of([{"id": 5, "data": {"a": deep}}, webhooks.task(6)]))
    assert [task.id for task in store.tasks.all(KEY)] == [1, 6]

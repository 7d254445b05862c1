from typing import Any

from labelstudio.changes import change_of, tasks_of
from store.store import Store
from tests.store import webhooks

KEY = "default/2.1"


def test_the_newest_description_of_a_task_counts(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 2, "new"), webhooks.task(2, 1)]))
    odd: list[dict[str, Any]] = [{"id": number, "data": {}} for number in (-1, 2**63, 10**400, True, 1.5, float("nan"))]
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 1, "old"), {"id": "x"}, *odd]))
    assert [(task.id, task.data["title"]) for task in store.tasks.all(KEY)] == [(1, "new"), (2, "tea")]
    assert store.tasks.count(KEY) == 2


def test_new_data_of_a_labelled_task_is_new_gold(store: Store) -> None:
    body = webhooks.saved(webhooks.annotation(1, 1, 1), 1)
    store.journal.record(change_of(KEY, body), timeout=10)
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 2, "another title")]))
    assert revision(store) == 2


def test_a_deleted_task_stays_deleted(store: Store) -> None:
    store.journal.record(change_of(KEY, webhooks.tasks_deleted(1)), timeout=10)
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 9)]))
    assert store.tasks.all(KEY) == []


def test_a_list_overrules_the_deletion_of_a_task_and_its_older_description(store: Store) -> None:
    store.journal.record(change_of(KEY, webhooks.saved(webhooks.annotation(1, 1, 5), 5)), timeout=10)
    for undated in (False, True):
        listed = webhooks.task(1, 3, "as in the backup")
        if undated:
            del listed["updated_at"]
        store.tasks.delete(KEY, [1])
        store.tasks.upsert(KEY, tasks_of([listed]), settled=store.now() - 60)
        assert store.tasks.all(KEY) == []
        before = revision(store)
        store.tasks.upsert(KEY, tasks_of([listed]), settled=store.now())
        assert [task.data["title"] for task in store.tasks.all(KEY)] == ["as in the backup"]
        assert revision(store) == before + 1, "its gold is back"
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 5, "newer")]))
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 4, "older")]), settled=store.now())
    assert [task.data["title"] for task in store.tasks.all(KEY)] == ["older"]


def revision(store: Store) -> int:
    project = store.projects.get(KEY)
    assert project
    return project.gold_revision


def test_ids_are_those_of_tasks_that_are_there(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(number, 1) for number in (3, 1, 2)]))
    store.tasks.delete(KEY, [2])
    assert store.tasks.ids(KEY) == [1, 3]
    assert store.tasks.ids("default/99.1") == []


def test_tasks_are_read_page_by_page(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.projects.ensure("default/3.1", "<View/>")
    store.tasks.upsert(KEY, tasks_of([webhooks.task(number, 1) for number in (9, 2, 5, 7)]))
    store.tasks.upsert("default/3.1", tasks_of([webhooks.task(3, 1)]))
    store.tasks.delete(KEY, [5])
    assert [task.id for task in store.tasks.page(KEY, 0, 2)] == [2, 7]
    assert [task.id for task in store.tasks.page(KEY, 7, 2)] == [9]
    assert store.tasks.page(KEY, 9, 2) == []
    dates = store.tasks.dates(KEY, -1, 2)
    assert list(dates) == [2, 7]
    assert set(dates.values()) == {task.updated_us for task in store.tasks.all(KEY)}
    assert list(store.tasks.dates(KEY, 7, 2)) == [9]
    assert store.tasks.dates(KEY, 9, 2) == {}

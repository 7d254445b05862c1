"""A look at a project's tasks costs their dates, page by page, and reads none of them."""

from collections.abc import Mapping

import pytest

import worker.search.looking
from labelstudio.changes import tasks_of
from tests.store import webhooks
from tests.worker import shop
from tests.worker.search.conftest import KEY, TASKS, filled
from worker.search.filling import Filled
from worker.search.index import Rows
from worker.search.looking import Look, index_of, looks
from worker.workplace import Workplace


def looked(workplace: Workplace, after: int = -1) -> list[Look]:
    project = workplace.store.projects.get(KEY)
    assert project
    return list(looks(workplace, project, after))


def test_what_is_new_changed_and_gone_is_told_page_by_page(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [one for look in looked(workplace) for one in look.new] == [*range(1, TASKS + 1)], "there is no index yet"
    filled(workplace)
    monkeypatch.setattr(worker.search.looking, "PAGE", 10)
    workplace.store.tasks.upsert(KEY, tasks_of([{**shop.payload(12), "updated_at": webhooks.stamp(9)}]))
    workplace.store.tasks.upsert(KEY, tasks_of([shop.payload(100)]))
    workplace.store.tasks.delete(KEY, [3, TASKS])
    pages = looked(workplace)
    assert [len(page.dates) for page in pages] == [10, 10, 3]
    assert [page.new for page in pages] == [[], [12], [100]]
    assert [page.gone for page in pages] == [[3], [], [TASKS]]
    assert sum(len(page.held) for page in pages) == TASKS - 2
    assert [one for look in looked(workplace, 12) for one in look.new] == [100]


def test_an_index_that_is_filled_page_by_page_is_the_same(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.search.looking, "PAGE", 7)
    assert filled(workplace) == Filled(TASKS, 0, TASKS)
    shop.add_tasks(workplace.store, workplace.settings, [100, 101])
    workplace.store.tasks.delete(KEY, [1, 14])
    assert filled(workplace) == Filled(2, 2, TASKS)
    rows = Rows.of(index_of(workplace, KEY))
    assert {task for task in rows.task_N.tolist() if task >= 0} == {*range(2, 14), *range(15, TASKS + 1), 100, 101}
    assert filled(workplace) == Filled(0, 0, TASKS)


def test_a_look_keeps_no_more_than_a_page(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(workplace)
    monkeypatch.setattr(worker.search.looking, "PAGE", 10)
    dates, read = workplace.store.tasks.dates, list[int]()

    def noted(key: str, after: int, most: int) -> Mapping[int, int]:
        found = dates(key, after, most)
        read.append(len(found))
        return found

    monkeypatch.setattr(workplace.store.tasks, "dates", noted)
    assert filled(workplace) == Filled(0, 0, TASKS)
    assert read == [10, 10, TASKS - 20]

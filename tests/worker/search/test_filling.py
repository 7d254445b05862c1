"""The index follows the project's tasks and their features."""

from collections.abc import Collection

import pytest

import worker.search.filling
from labelstudio.changes import tasks_of
from model.features.item import ItemFeatures
from store.tasks import Task
from tests.store import webhooks
from tests.worker import shop
from tests.worker.search.conftest import KEY, TASKS, filled
from worker import forgetting
from worker.search.filling import Filled, fill
from worker.search.index import Rows
from worker.search.looking import index_of
from worker.search.projections import Projections
from worker.watch import Interrupted, NeverEnds
from worker.workplace import Workplace


def tasks_in(workplace: Workplace) -> set[int]:
    return {task for task in Rows.of(index_of(workplace, KEY)).task_N.tolist() if task >= 0}


def test_new_tasks_are_added_and_nothing_else_is_computed(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert filled(workplace) == Filled(TASKS, 0, TASKS)
    assert filled(workplace) == Filled(0, 0, TASKS)
    shop.add_tasks(workplace.store, workplace.settings, [100, 101])
    loaded: list[str] = []
    get = workplace.cache.get

    def noted(key: str) -> ItemFeatures | None:
        loaded.append(key)
        return get(key)

    monkeypatch.setattr(workplace.cache, "get", noted)
    assert filled(workplace) == Filled(2, 0, TASKS + 2)
    assert len(loaded) == 2
    assert tasks_in(workplace) == {*range(1, TASKS + 1), 100, 101}


def test_only_tasks_that_changed_are_looked_at(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(workplace)
    asked: list[int] = []
    some = workplace.store.tasks.some

    def noted(key: str, ids: Collection[int]) -> dict[int, Task]:
        asked.extend(ids)
        return some(key, ids)

    monkeypatch.setattr(workplace.store.tasks, "some", noted)
    assert filled(workplace) == Filled(0, 0, TASKS)
    assert asked == []
    later = {**shop.payload(2), "updated_at": webhooks.stamp(9)}
    workplace.store.tasks.upsert(KEY, tasks_of([later]))
    assert filled(workplace) == Filled(0, 0, TASKS), "its picture and texts are as they were"
    assert asked == [2]
    assert filled(workplace) == Filled(0, 0, TASKS)
    assert asked == [2], "its new date is known"
    workplace.store.projects.ensure(KEY, shop.CONFIG.replace("$title", "$name"), "shop")
    assert filled(workplace).total < TASKS, "another labelling config reads other items from the same tasks"
    assert set(asked) == {*range(1, TASKS + 1)}


def test_tasks_without_features_wait(workplace: Workplace) -> None:
    workplace.store.tasks.upsert(KEY, tasks_of([shop.payload(100)]))
    assert filled(workplace) == Filled(TASKS, 0, TASKS)


def test_changed_and_removed_tasks_are_followed(workplace: Workplace) -> None:
    filled(workplace)
    before = Rows.of(index_of(workplace, KEY))
    changed = {**shop.payload(2), "updated_at": webhooks.stamp(9)}
    changed["data"] = {**changed["data"], "title": "另一个商品"}
    workplace.store.tasks.upsert(KEY, tasks_of([changed]))
    assert filled(workplace) == Filled(0, 1, TASKS - 1), "it is not read again yet: what it was is not found"
    workplace.store.tasks.delete(KEY, [1])
    shop.annotate(workplace.store, [3])
    assert filled(workplace) == Filled(0, 1, TASKS - 2)
    assert tasks_in(workplace) == {*range(3, TASKS + 1)}
    assert before.state.file == index_of(workplace, KEY).state().file


def test_a_projection_of_few_items_is_made_anew_when_they_have_doubled(workplace: Workplace) -> None:
    filled(workplace)
    folder, space = workplace.settings.paths.search, shop.SPACE
    first = Projections(folder, space).newest()
    assert first is not None
    assert first.made_of == TASKS
    shop.add_tasks(workplace.store, workplace.settings, range(100, 100 + TASKS))
    assert filled(workplace) == Filled(2 * TASKS, 0, 2 * TASKS)
    second = Projections(folder, space).newest()
    assert second is not None
    assert second.made_of == 2 * TASKS
    assert index_of(workplace, KEY).state().projection == second.digest
    assert Projections(folder, space).get(first.digest) is None, "no project uses it"


def test_an_interrupted_job_keeps_what_it_added(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    class EndsAtOnce(NeverEnds):
        def check(self) -> None:
            raise Interrupted("stop")

    monkeypatch.setattr(worker.search.filling, "PART", 10)
    project = workplace.store.projects.get(KEY)
    assert project
    with pytest.raises(Interrupted):
        fill(workplace, project, EndsAtOnce())
    assert tasks_in(workplace) == {*range(1, 11)}
    assert filled(workplace) == Filled(TASKS - 10, 0, TASKS)


def test_a_project_without_features_has_no_index(workplace: Workplace) -> None:
    for file in workplace.settings.paths.features.rglob("*.safetensors"):
        file.unlink()
    assert filled(workplace) == Filled(0, 0, 0)
    assert not index_of(workplace, KEY).is_there()


def test_a_forgotten_project_leaves_no_index(workplace: Workplace) -> None:
    filled(workplace)
    project = workplace.store.projects.get(KEY)
    assert project
    assert forgetting.holdings(workplace, project).files["search"][0] == 2
    assert forgetting.forget(workplace, project)
    assert not index_of(workplace, KEY).folder.exists()

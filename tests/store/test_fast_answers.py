from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

import store.fast_answers
from store.store import Store
from store.tables import FAST_ANSWERS

KEY = "default/2.1"


@pytest.fixture(autouse=True)
def project(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast answers are due as soon as they are given."""
    monkeypatch.setattr(store.fast_answers, "FIRST_LOOK_S", 0.0)


def test_a_task_gets_one_fast_answer_under_a_version(store: Store) -> None:
    assert store.fast_answers.give(KEY, "v0.a", [1, 2]) == {1, 2}
    assert store.fast_answers.give(KEY, "v0.a", [2, 3]) == {3}
    assert store.fast_answers.give(KEY, "v1.b", [2]) == {2}
    assert store.fast_answers.give("other/2.1", "v0.a", [2]) == {2}
    assert store.fast_answers.give(KEY, "v0.a", []) == set()


def test_of_many_backends_one_gives_it(url: str) -> None:
    stores = [Store.open(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda each: each.fast_answers.give(KEY, "v0.a", range(600)), stores))
    assert sorted(task for part in given for task in part) == list(range(600))
    for each in stores:
        each.close()


def test_label_studio_gets_a_moment_before_the_first_look(store: Store) -> None:
    store.fast_answers.give(KEY, "v0.a", [1])
    assert store.fast_answers.due(KEY) == []
    assert store.fast_answers.projects_due() == []


@pytest.mark.usefixtures("at_once")
def test_what_is_settled_or_postponed_is_not_due(store: Store) -> None:
    store.fast_answers.give(KEY, "v0.a", [1, 2, 3])
    one, two, three = store.fast_answers.due(KEY)
    assert [one.task_id, two.task_id, three.task_id] == [1, 2, 3]
    assert store.fast_answers.projects_due() == [KEY]
    store.fast_answers.settle(KEY, [one])
    store.fast_answers.postpone(KEY, [two], 60)
    assert store.fast_answers.due(KEY) == [three]
    assert store.fast_answers.give(KEY, "v0.a", [1]) == set(), "a settled one is still the task's one"
    store.fast_answers.settle(KEY, [three])
    assert store.fast_answers.projects_due() == []


def test_a_clock_that_is_set_back_keeps_no_fast_answer(store: Store) -> None:
    store.fast_answers.give(KEY, "v0.a", [1])
    assert store.fast_answers.due(KEY) == []
    with store._database.write() as connection:
        connection.execute(update(FAST_ANSWERS).values(due_at=store.now() + 3600))
    assert [answer.task_id for answer in store.fast_answers.due(KEY)] == [1]
    assert store.fast_answers.projects_due() == [KEY]

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from labelstudio.changes import tasks_of
from store.pictures import FIRST_PAUSE_S
from store.projects import LONGEST_BACKOFF_S
from store.store import Store
from store.tables import PROJECTS
from tests.store import webhooks

KEY = "default/2.1"
HOST, FOLDER = "host 'img.shop.test' is not allowed", "the file in '/srv/shop' is not there"


@pytest.fixture(autouse=True)
def _project(store: Store) -> None:
    store.projects.ensure(KEY, webhooks.CONFIG)
    store.tasks.upsert(KEY, tasks_of([webhooks.task(number) for number in range(1, 6)]))


def finish(store: Store, *, has_read: bool = False) -> None:
    store.pictures.finish_round(KEY, {}, has_read=has_read)


def test_reasons_are_counted_and_each_is_new_once(store: Store) -> None:
    assert store.pictures.note(KEY, {1: HOST, 2: HOST, 3: FOLDER}) == [HOST, FOLDER]
    assert store.pictures.note(KEY, {1: HOST, 4: HOST}) == []
    assert store.pictures.note(KEY, {}) == []
    assert store.pictures.reasons(KEY) == {HOST: 3, FOLDER: 1}
    assert store.pictures.tasks(KEY) == {1, 2, 3, 4}
    assert store.pictures.note(KEY, {1: FOLDER}) == []
    assert store.pictures.reasons(KEY) == {FOLDER: 2, HOST: 2}
    store.pictures.settle(KEY, [1, 3, 99])
    assert store.pictures.reasons(KEY) == {HOST: 2}
    assert store.pictures.note(KEY, {3: FOLDER}) == [FOLDER], "it had been mended"


def test_odd_reasons_are_kept_as_a_database_can(store: Store) -> None:
    assert store.pictures.note(KEY, {1: "odd \0 \ud800"}) == ["odd \ufffd \ufffd"]
    assert store.pictures.note(KEY, {1: "odd \0 \ud800"}) == []


def test_many_may_note_the_same_at_once_and_one_tells(url: str, store: Store) -> None:
    stores = [Store.open(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda each: each.pictures.note(KEY, dict.fromkeys(range(1, 600), HOST)), stores))
    assert sorted(new) == [[], [], [], [HOST]]
    for each in stores:
        each.close()


def test_tasks_that_are_deleted_do_not_count_and_are_not_tried(store: Store, moved: Callable[[float], None]) -> None:
    store.pictures.note(KEY, {1: HOST, 2: HOST})
    store.tasks.delete(KEY, [1])
    assert store.pictures.reasons(KEY) == {HOST: 1}
    finish(store)
    assert store.pictures.tasks(KEY) == {2}
    store.tasks.delete(KEY, [2])
    finish(store)
    moved(10_000)
    assert store.pictures.due() == []


def test_the_pause_doubles_until_a_picture_is_read(store: Store, moved: Callable[[float], None]) -> None:
    assert store.pictures.due() == []
    store.pictures.hasten()
    assert store.pictures.due() == [], "nothing is unread"
    store.pictures.note(KEY, {1: HOST})
    for pause in (1, 2, 4, 8):
        moved(FIRST_PAUSE_S * pause - 1)
        assert store.pictures.due() == []
        moved(1)
        assert store.pictures.due() == [KEY]
        finish(store)
    finish(store, has_read=True)
    moved(FIRST_PAUSE_S)
    assert store.pictures.due() == [KEY]
    store.projects.note_presence(KEY, is_there=False)
    assert store.pictures.due() == [], "Label Studio has no such project"
    store.projects.note_presence(KEY, is_there=True)
    finish(store)
    store.pictures.hasten()
    assert store.pictures.due() == [KEY]
    store.pictures.settle(KEY, [1])
    finish(store)
    moved(10_000)
    assert store.pictures.due() == []


def test_a_round_that_ends_early_is_not_due_again_at_once(store: Store, moved: Callable[[float], None]) -> None:
    store.pictures.note(KEY, {1: HOST})
    moved(FIRST_PAUSE_S)
    store.pictures.begin_round(KEY)
    assert store.pictures.due() == []
    moved(LONGEST_BACKOFF_S)
    assert store.pictures.due() == [KEY]
    store.pictures.settle(KEY, [1])
    finish(store)
    store.pictures.begin_round(KEY)
    moved(LONGEST_BACKOFF_S)
    assert store.pictures.due() == [], "nothing is unread"


def test_gold_without_its_picture_is_a_reason_to_try_again(store: Store) -> None:
    lease = store.leases.acquire("train", "test", 60)
    assert lease
    store.projects.finish_training(KEY, 1, lease, unread=1)
    assert store.pictures.due() == [KEY]
    finish(store)
    assert store.pictures.due() == []
    store.projects.finish_training(KEY, 2, lease)
    finish(store)
    with store._database.write() as connection:
        assert connection.execute(update(PROJECTS).where(PROJECTS.c.pictures_due_at > 0).values(title="")).rowcount == 0


def test_notes_about_places_are_kept(store: Store) -> None:
    store.pictures.finish_round(KEY, {"it stands under '标题'": 2}, has_read=True)
    project = store.projects.get(KEY)
    assert project
    assert project.address_notes == {"it stands under '标题'": 2}

from store.batches import Fate, NewBatch, Picture
from store.store import Store

KEY = "default/1.1"


def begun(store: Store, form: str = "a", tasks: tuple[int, ...] = (1, 2)) -> int:
    store.projects.ensure(KEY, "<View/>")
    pictures = [Picture(task, Fate.WAITING, [{"id": f"r{task}"}]) for task in tasks]
    number, _ = store.batches.begin(KEY, NewBatch(form, "anna", "v1.0001", '["主体"]', 1.5, pictures))
    return number


def test_a_form_makes_one_batch(store: Store) -> None:
    first = begun(store)
    assert begun(store) == first
    assert store.batches.of_form(KEY, "a") == first
    assert store.batches.of_form("default/2.1", "a") is None
    (batch,) = store.batches.newest(KEY, 5)
    assert (batch.labels, batch.seconds, batch.counts) == (("主体",), 1.5, {Fate.WAITING: 2})
    assert batch.is_open


def test_a_picture_is_in_one_batch_until_it_is_given_back(store: Store) -> None:
    first = begun(store, tasks=(1, 2))
    second = begun(store, "b", tasks=(2, 3))
    assert {one.task_id: one.fate for one in store.batches.pictures(second)} == {2: Fate.LABELLED, 3: Fate.WAITING}
    for one in store.batches.pictures(first):
        store.batches.settle(first, Picture(one.task_id, Fate.TAKEN_BACK))
    third = begun(store, "c", tasks=(2,))
    assert [one.fate for one in store.batches.pictures(third)] == [Fate.WAITING]


def test_it_is_taken_back_once_by_the_first_who_does(store: Store) -> None:
    number = begun(store)
    store.batches.settle(number, Picture(1, Fate.WRITTEN, (), 7, "2026-11-30T00:00:00Z", "d" * 64))
    store.batches.note(number, "away: it does not answer")
    store.batches.take_back(number, "ben")
    store.batches.take_back(number, "anna")
    batch = store.batches.get(KEY, number)
    assert batch
    assert (batch.taken_back_by, batch.problem, batch.is_open) == ("ben", "", True)
    (written,) = store.batches.pictures(number, [Fate.WRITTEN])
    assert (written.annotation_id, written.result) == (7, [])
    assert store.batches.get("default/2.1", number) is None

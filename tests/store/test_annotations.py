import time

from store.changes import AnnotationState, Change
from store.store import Store
from tests.store import webhooks

KEY = "default/2.1"


def test_annotations_come_oldest_first_in_label_studios_shape(store: Store) -> None:
    for number, second in ((1, 5), (2, 3)):
        body = webhooks.saved(webhooks.annotation(number, 1, second), second)
        store.journal.record(Change.of_webhook(KEY, body), timeout=10)
    older, newer = store.annotations.of_project(KEY)[1]
    assert (older["id"], newer["id"]) == (2, 1)
    assert older["updated_at"] == "2026-11-21T00:00:01.500000Z"
    assert newer["result"] == webhooks.annotation(1, 1, 5)["result"]


def test_what_the_api_says_is_joined_and_told_whether_it_was_news(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, [webhooks.task(1)])
    states = [AnnotationState.of(webhooks.annotation(1, 1, 1))]
    assert store.annotations.apply(KEY, states)
    assert not store.annotations.apply(KEY, states)
    assert store.annotations.known(KEY, seen_before=time.time() + 1, tasks=[1, 2]) == {1}
    assert store.annotations.known(KEY, seen_before=time.time() - 60, tasks=[1]) == set()
    assert store.annotations.known(KEY, seen_before=time.time() + 1, tasks=[2]) == set()
    assert store.annotations.delete(KEY, [1])
    assert store.annotations.of_project(KEY) == {}

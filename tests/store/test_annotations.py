import time

import pytest

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
    heard_of = store.annotations.heard_of(KEY, [1, 2])
    assert heard_of == {1: pytest.approx(time.time(), abs=60)}
    assert store.annotations.heard_of(KEY, [2]) == {}
    assert store.annotations.delete(KEY, [1])
    assert store.annotations.of_project(KEY) == {}


def test_a_list_overrules_what_was_heard_of_before_and_nothing_newer(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, [webhooks.task(1)])
    listed = [AnnotationState.of(webhooks.annotation(1, 1, 1))]
    edited = [AnnotationState.of(webhooks.annotation(1, 1, 2, ("b",)))]
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


def test_of_a_repeated_deletion_the_last_one_counts(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.tasks.upsert(KEY, [webhooks.task(1)])
    store.annotations.delete(KEY, [1])
    between = store.now()
    time.sleep(0.01)
    store.journal.record(Change.of_webhook(KEY, webhooks.deleted(1)), timeout=10)
    assert store.annotations.apply(KEY, [AnnotationState.of(webhooks.annotation(1, 1, 1))], settled=between) == 0
    assert store.annotations.of_project(KEY) == {}

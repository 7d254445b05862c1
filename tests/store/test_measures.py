from concurrent.futures import ThreadPoolExecutor

from labelstudio.changes import change_of
from store.measures import Amount
from store.store import Store
from store.webhooks import WebhookState
from tests.store import webhooks

KEY, OTHER = "default/2.1", "further-default/2.1"
JOBS, KILLED = Amount("jobs", ("train", "done")), Amount("killed", ("train",))


def test_amounts_are_added_up_by_many_at_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            pool.submit(store.measures.add, {JOBS: 1.0, KILLED: 0.5})
    assert store.measures.all() == {JOBS: 20.0, KILLED: 10.0}
    store.measures.add({})


def test_a_job_that_never_ended_is_counted_once(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    assert not store.measures.begin_job("train", KEY, KILLED)
    assert store.measures.begin_job("train", KEY, KILLED)
    assert not store.measures.begin_job("encode", KEY, KILLED)
    store.measures.end_job("train", KEY, {JOBS: 1.0})
    assert not store.measures.begin_job("train", KEY, KILLED)
    assert store.measures.all() == {JOBS: 1.0, KILLED: 1.0}
    assert not store.measures.begin_job("train", OTHER, KILLED), "of a project that is not there nothing is written"
    store.measures.end_job("train", OTHER, {})


def test_projects_that_wait_longest_come_first_and_others_do_not(store: Store) -> None:
    for key in (KEY, OTHER, "default/3.1", "default/4.1"):
        store.projects.ensure(key, "<View/>")
    store.projects.request_training("default/3.1")
    store.projects.fail_attempt(KEY, "no disk")
    store.projects.note_presence("default/4.1", is_there=False)
    assert store.measures.waiting("default", 10) == [("default/3.1", 0, 1, False), (KEY, 0, 0, True)]
    assert store.measures.waiting("default", 1) == [("default/3.1", 0, 1, False)]


def test_missed_labels_count_until_an_event_comes(store: Store) -> None:
    for key in (KEY, OTHER):
        store.projects.ensure(key, "<View/>")
        store.webhooks.note_missed(key, 2, store.now() - 10)
    store.webhooks.note_missed(KEY, 1, store.now() - 20)
    assert {key: state.missed for key, state in store.webhooks.all().items()} == {KEY: 3, OTHER: 2}
    store.journal.record(change_of(KEY, webhooks.saved(webhooks.annotation(1, 1, 1), 1)), timeout=10)
    assert {key: state.missed for key, state in store.webhooks.all().items()} == {KEY: 0, OTHER: 2}
    store.webhooks.note_missed(KEY, 1, store.now() + 100)
    assert store.webhooks.all()[KEY].missed == 1, "those before the event are forgotten"


def test_a_state_is_kept_by_project(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.webhooks.note(KEY, "missing", "add it")
    assert store.webhooks.all() == {KEY: WebhookState("missing", "add it")}
    store.webhooks.note_switched_on(KEY)
    state = store.webhooks.all()[KEY]
    assert (state.trouble, state.is_compared) == ("", False)
    assert abs(state.switched_on_at - store.now()) < 60
    store.webhooks.note(OTHER, "missing", "of no project")
    store.projects.note_presence(KEY, is_there=False)
    assert store.webhooks.all() == {}

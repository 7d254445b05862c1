import time
from collections.abc import Callable

import pytest
from sqlalchemy import update

from labelstudio.changes import change_of, tasks_of
from store.changes import Change
from store.leases import Lease, LeaseLost, lease_name
from store.projects import ask_reconcile
from store.store import Store
from store.tables import PROJECTS, TASKS
from tests.store import webhooks

KEY = "default/2.1"


def annotate(store: Store, number: int) -> None:
    body = webhooks.saved(webhooks.annotation(number, number, 1), 1)
    store.journal.record(change_of(KEY, body), timeout=10)


def lease_of(store: Store) -> Lease:
    lease = store.leases.acquire(lease_name("train", KEY), "a", ttl=60)
    assert lease
    return lease


def test_setup_makes_a_project_and_a_new_config_makes_work(store: Store) -> None:
    project = store.projects.ensure(KEY, "<View/>", "shop")
    assert (project.key, project.title, project.label_config, project.has_new_gold) == (KEY, "shop", "<View/>", False)
    assert store.projects.ensure(KEY, "<View/>") == project
    changed = store.projects.ensure(KEY, "<View><Image/></View>")
    assert changed.has_new_gold
    assert store.projects.all() == [changed]


def test_a_title_follows_without_new_work(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    named = store.projects.ensure(KEY, "<View/>", "Shoes")
    assert (named.title, named.has_new_gold) == ("Shoes", False)
    assert store.projects.ensure(KEY, "<View/>").title == "Shoes", "no title is no change"
    store.projects.note_presence(KEY, True, "Boots")
    assert [project.title for project in store.projects.all()] == ["Boots"]
    store.projects.note_presence(KEY, False)
    assert store.projects.all()[0].title == "Boots"


def test_new_gold_waits_until_it_is_trained_on(store: Store) -> None:
    annotate(store, 1)
    assert store.projects.waiting_for_training() == [KEY]
    lease = lease_of(store)
    assert store.projects.waiting_for_training() == []  # somebody is at it
    annotate(store, 2)
    store.projects.finish_training(KEY, 1, lease)
    store.leases.release(lease)
    assert store.projects.waiting_for_training() == [KEY]
    store.projects.finish_training(KEY, 2, lease_of(store))
    project = store.projects.get(KEY)
    assert project
    assert not project.has_new_gold


def test_only_the_lease_holder_may_say_that_training_is_done(store: Store) -> None:
    annotate(store, 1)
    lease = lease_of(store)
    store.leases.revoke(lease.name)
    with pytest.raises(LeaseLost):
        store.projects.finish_training(KEY, 1, lease)
    assert store.projects.waiting_for_training() == [KEY]


def test_a_training_that_keeps_dying_is_tried_ever_more_rarely_until_new_gold_comes(store: Store) -> None:
    annotate(store, 1)
    for _ in range(3):
        store.projects.begin_attempt(KEY)
        assert store.projects.waiting_for_training() == [KEY]
    store.projects.begin_attempt(KEY)
    assert store.projects.waiting_for_training() == []
    annotate(store, 2)
    assert store.projects.waiting_for_training() == [KEY]


def test_a_failure_is_kept_until_a_training_ends_well(store: Store) -> None:
    annotate(store, 1)
    store.projects.fail_attempt(KEY, "no space left")
    project = store.projects.get(KEY)
    assert project
    assert project.failure == "no space left"
    store.projects.finish_training(KEY, 1, lease_of(store))
    project = store.projects.get(KEY)
    assert project
    assert project.failure == ""


def test_training_can_be_requested_without_new_gold(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.projects.request_training(KEY)
    assert store.projects.waiting_for_training() == [KEY]


def test_other_industry_keys_make_work_once(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    for _ in range(2):
        store.projects.set_industry_keys(KEY, ["一级", "二级"])
    project = store.projects.get(KEY)
    assert project
    assert project.industry_keys == ("一级", "二级")
    assert project.gold_revision == 1


def compare(store: Store) -> None:
    """A whole reconcile."""
    store.projects.begin_reconcile(KEY)
    store.projects.finish_reconcile(KEY, lease_of(store))


@pytest.fixture
def unpaused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reconcile may follow the one before at once."""
    monkeypatch.setattr("store.projects.RECONCILE_PAUSE_S", 0.0)


@pytest.mark.usefixtures("unpaused")
def test_a_reconcile_that_was_asked_for_is_due_until_a_later_one_is_done(
    store: Store, moved: Callable[[float], None]
) -> None:
    store.projects.ensure(KEY, "<View/>")
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]  # of a new project nothing is known
    assert store.projects.begin_reconcile(KEY).after == 0
    store.projects.request_reconcile(KEY)
    store.projects.finish_reconcile(KEY, lease_of(store))
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]  # what was asked for while it ran it may have missed
    compare(store)
    assert store.projects.waiting_for_reconcile(0.0) == []
    assert store.projects.waiting_for_reconcile(600.0) == []
    moved(601)
    assert store.projects.waiting_for_reconcile(600.0) == [KEY]  # its time has come


@pytest.mark.usefixtures("unpaused")
def test_a_reconcile_that_took_long_rests_longer_by_time_and_not_when_it_is_asked_for(
    store: Store, moved: Callable[[float], None]
) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.projects.begin_reconcile(KEY)
    moved(300)
    assert store.projects.waiting_for_reconcile(60.0) == [KEY]  # it has not ended
    store.projects.finish_reconcile(KEY, lease_of(store))
    moved(1400)
    assert store.projects.waiting_for_reconcile(600.0) == []
    store.projects.request_reconcile(KEY)
    assert store.projects.waiting_for_reconcile(600.0) == [KEY]
    compare(store)
    moved(601)
    assert store.projects.waiting_for_reconcile(600.0) == [KEY]  # that one took no time
    store.projects.begin_reconcile(KEY)
    moved(100_000)
    store.projects.finish_reconcile(KEY, lease_of(store))
    moved(12 * 600 - 1)
    assert store.projects.waiting_for_reconcile(600.0) == []
    moved(2)
    assert store.projects.waiting_for_reconcile(600.0) == [KEY]  # no worker ran for a day, say


def test_a_reconcile_goes_on_where_it_stopped_whatever_was_asked_for_since(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    begun = store.projects.begin_reconcile(KEY)
    store.projects.reach_in_reconcile(KEY, 2**40, lease_of(store))
    store.projects.request_reconcile(KEY)
    assert store.projects.begin_reconcile(KEY) == (2**40, begun.at)


def test_asked_reconciles_keep_a_pause_unless_a_person_asks(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    compare(store)
    for _ in range(5):
        store.journal.record(Change(KEY, "TASKS_CREATED", asks_reconcile=True), timeout=10)
    assert store.projects.waiting_for_reconcile(1e-6) == []
    store.projects.request_reconcile(KEY, urgent=True)
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]
    store.projects.begin_reconcile(KEY)
    store.projects.request_reconcile(KEY, urgent=True)
    store.projects.finish_reconcile(KEY, lease_of(store))
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]
    compare(store)
    assert store.projects.waiting_for_reconcile(0.0) == []


def test_reconciles_that_fail_are_tried_ever_more_rarely_until_one_gets_on_or_a_person_asks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = time.time()
    monkeypatch.setattr("store.projects.now", lambda _: at)

    def pause() -> float:
        nonlocal at
        store.projects.postpone_reconcile(KEY)
        failed = at
        while not store.projects.waiting_for_reconcile(0.0):
            at += 20
        return at - failed

    store.projects.ensure(KEY, "<View/>")
    store.projects.begin_reconcile(KEY)
    assert [pause() for _ in range(6)] == [60, 120, 240, 480, 600, 600]
    store.projects.reach_in_reconcile(KEY, 100, lease_of(store))
    assert pause() == 60
    store.projects.postpone_reconcile(KEY)
    store.projects.request_reconcile(KEY, urgent=True)
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]


def test_an_older_request_does_not_replace_a_newer_one(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    begun = store.projects.begin_reconcile(KEY)
    with store._database.write() as connection:
        for at in (begun.at + 1, begun.at - 1):
            ask_reconcile(connection, KEY, at, urgent=True)
    store.projects.finish_reconcile(KEY, lease_of(store))
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]


@pytest.mark.usefixtures("unpaused")
def test_tasks_that_come_in_and_events_that_do_not_fit_ask_for_a_reconcile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotate(store, 1)
    compare(store)
    annotate(store, 2)
    assert store.projects.waiting_for_reconcile(0.0) == []
    store.journal.record(Change(KEY, "TASKS_CREATED", asks_reconcile=True), timeout=10)
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]
    compare(store)
    monkeypatch.setattr("store.journal.apply_annotations", _refuse)
    annotate(store, 3)
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]


def _refuse(*_: object) -> int:
    raise ValueError("no such thing")


def test_a_label_studio_that_does_not_answer_holds_up_all_its_projects_but_urgent_ones(store: Store) -> None:
    for key in (KEY, "default/3.1", "default/4.1", "other/3.1"):
        store.projects.ensure(key, "<View/>")
    lease = store.leases.acquire("reconcile", "a", 60)
    assert lease
    store.projects.begin_reconcile("default/4.1")
    store.projects.finish_reconcile("default/4.1", lease)
    store.projects.request_reconcile("default/4.1", urgent=True)
    store.projects.postpone_reconcile(KEY, of_all=True)
    assert store.projects.waiting_for_reconcile(0.0) == ["default/4.1", "other/3.1"]


HOUR = 3600.0  # by which the clock is set back: what was noted before lies so far ahead


def ahead(store: Store, **stamps: float) -> None:
    with store._database.write() as connection:
        connection.execute(update(PROJECTS).values({name: store.now() + seconds for name, seconds in stamps.items()}))


def test_a_clock_that_is_set_back_holds_up_no_training(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    store.projects.request_training(KEY)
    ahead(store, retry_at=300)
    assert store.projects.waiting_for_training() == []
    ahead(store, retry_at=HOUR)
    assert store.projects.waiting_for_training() == [KEY]


def test_a_clock_that_is_set_back_holds_up_no_reconcile(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    lease = store.leases.acquire("reconcile", "a", 10)
    assert lease
    store.projects.begin_reconcile(KEY)
    store.projects.finish_reconcile(KEY, lease)
    assert store.projects.waiting_for_reconcile(600) == []
    ahead(store, reconciled_at=HOUR, reconcile_not_before=HOUR)
    assert store.projects.waiting_for_reconcile(600) == [KEY]


def test_a_reconcile_that_began_before_the_clock_was_set_back_begins_anew(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    lease = store.leases.acquire("reconcile", "a", 10)
    assert lease
    store.tasks.upsert(KEY, tasks_of([webhooks.task(1, 1, "a")]))
    store.projects.begin_reconcile(KEY)
    store.projects.reach_in_reconcile(KEY, 7, lease)
    assert store.projects.begin_reconcile(KEY).after == 7
    ahead(store, reconcile_began_at=HOUR, reconcile_asked_at=HOUR)
    with store._database.write() as connection:
        connection.execute(update(TASKS).values(seen_at=store.now() + HOUR))
    begun = store.projects.begin_reconcile(KEY)
    assert begun.after == 0
    assert store.tasks.heard_of(KEY, 0, 10)[1] <= begun.at <= store.now()
    store.projects.finish_reconcile(KEY, lease)
    assert store.projects.waiting_for_reconcile(600) == []


def test_what_is_asked_in_a_reconcile_stays_asked_though_the_clock_is_set_back(store: Store) -> None:
    store.projects.ensure(KEY, "<View/>")
    lease = store.leases.acquire("reconcile", "a", 10)
    assert lease
    store.projects.begin_reconcile(KEY)
    ahead(store, reconcile_began_at=HOUR)  # as the stamp of the begin looks after the step
    store.projects.request_reconcile(KEY, urgent=True)
    store.projects.finish_reconcile(KEY, lease)
    assert store.projects.waiting_for_reconcile(600) == [KEY]
    store.projects.begin_reconcile(KEY)
    store.projects.finish_reconcile(KEY, lease)
    assert store.projects.waiting_for_reconcile(600) == []

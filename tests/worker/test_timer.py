from collections.abc import Callable

import pytest
from redis import Redis
from rq import Queue
from sqlalchemy import update

from store.leases import lease_name
from store.pictures import FIRST_PAUSE_S
from store.store import Store
from store.tables import CURRENT
from store.versions import NewVersion, State
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.worker import shop
from worker import queue, timer
from worker.timer import Timer

KEY = str(shop.KEY)


@pytest.fixture
def redis(settings: Settings) -> Redis:
    connection = queue.redis_of(settings.work.redis_url)
    connection.flushall()
    return connection


def woken(settings: Settings, redis: Redis) -> list[str]:
    jobs = Queue(settings.work.queue, connection=redis, serializer="json").jobs
    return sorted(str(job.func_name).removeprefix("worker.jobs.") for job in jobs if job)


def tick(settings: Settings, store: Store) -> None:
    """As after the interval."""
    store.leases.revoke("timer")
    timer.tick(settings, store, "test")


def accepted(store: Store, settings: Settings, number: int) -> None:
    """A version that passed the gate and waits."""
    current = store.versions.current(KEY)
    lease = store.leases.acquire(lease_name("train", KEY), "training", ttl=60)
    assert current
    assert lease
    new = NewVersion(
        number=number,
        version=f"v{number}.abcd",
        parent=current.version,
        folder=f"{KEY}/v{number}.abcd",
        phase="refine",
        space=current.space,
        labels=current.labels,
        metrics={},
        gold_revision=1,
        gold_count=1,
        weak_count=0,
        judged_generation=current.generation,
    )
    store.versions.add(KEY, new, lease)
    store.versions.decide(
        KEY,
        number,
        lease,
        state=State.ACCEPTED,
        reason="better",
        due_at=current.since + settings.versions.promotion_seconds,
    )
    store.leases.release(lease)


def finish_reconcile(store: Store) -> None:
    lease = store.leases.acquire(lease_name("reconcile", KEY), "test", ttl=60)
    assert lease
    store.projects.finish_reconcile(KEY, lease)


def test_work_in_the_store_is_woken_and_a_reconcile_that_is_due(
    settings: Settings,
    store: Store,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    moved: Callable[[float], None],
) -> None:
    shop.open_shop(store, settings, tasks=4)
    assert woken(settings, redis) == []
    tick(settings, store)
    assert woken(settings, redis) == ["reconcile"]  # a new project is compared even when none is due by time
    redis.flushall()
    store.projects.begin_reconcile(KEY)
    tick(settings, store)
    assert woken(settings, redis) == ["reconcile"]  # the worker died with it, or Redis did
    redis.flushall()
    finish_reconcile(store)
    tick(settings, store)
    assert woken(settings, redis) == []
    shop.annotate(store, [1])
    tick(settings, store)
    assert woken(settings, redis) == ["train"]
    monkeypatch.setattr("store.projects.RECONCILE_PAUSE_S", 0.0)
    finish_reconcile(store)
    moved(601)
    tick(settings.changed(reconcile_minutes=10.0), store)
    assert woken(settings, redis) == ["reconcile", "train"]


def test_of_many_backends_one_does_the_work(settings: Settings, store: Store, redis: Redis) -> None:
    shop.open_shop(store, settings, tasks=4)
    assert store.leases.acquire("timer", "another backend", ttl=60)
    shop.annotate(store, [1])
    timer.tick(settings, store, "me")
    assert woken(settings, redis) == []


def test_a_version_that_waited_its_time_is_promoted(settings: Settings, store: Store) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    shop.cold_start(settings, store)
    slow = settings.changed(promotion_seconds=60.0)
    accepted(store, slow, 1)
    tick(slow, store)
    assert [entry.state for entry in store.versions.list(KEY)] == [State.ACCEPTED, State.CURRENT]
    tick(settings, store)
    newest, oldest = store.versions.list(KEY)
    assert (newest.state, oldest.state, newest.reason) == (State.CURRENT, State.SUPERSEDED, "better")


def test_a_clock_that_is_set_back_holds_up_no_promotion(settings: Settings, store: Store) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    shop.cold_start(settings, store)
    with store._database.write() as connection:
        connection.execute(update(CURRENT).values(since=store.now() + 3600))
    slow = settings.changed(promotion_seconds=60.0)
    accepted(store, slow, 1)
    assert store.versions.list(KEY)[0].due_at > store.now() + 3600
    tick(slow, store)
    assert store.versions.list(KEY)[0].state is State.CURRENT


def test_of_two_that_wait_the_newer_one_serves_and_an_outdated_verdict_does_not_count(
    settings: Settings, store: Store
) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    shop.cold_start(settings, store)
    accepted(store, settings, 1)
    accepted(store, settings, 2)
    accepted(store, settings, 3)
    store.versions.override(KEY, "v1.abcd")
    tick(settings, store)
    states = {entry.number: entry.state for entry in store.versions.list(KEY)}
    assert states == {3: State.REFUSED, 2: State.SUPERSEDED, 1: State.CURRENT, 0: State.SUPERSEDED}


def test_a_running_training_is_not_disturbed(settings: Settings, store: Store) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    shop.cold_start(settings, store)
    accepted(store, settings, 1)
    lease = store.leases.acquire(lease_name("train", KEY), "training", ttl=60)
    assert lease
    tick(settings, store)
    store.leases.renew(lease, ttl=60)


def test_the_thread_ticks_and_ends(
    settings: Settings, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer, "EVERY_S", 0.05)
    shop.open_shop(store, settings, tasks=2)
    shop.annotate(store, [1])
    with Timer(settings, store):
        until(lambda: "train" in woken(settings, redis), seconds=10)


def test_the_thread_goes_on_when_the_settings_cannot_be_compared(
    settings: Settings, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer, "EVERY_S", 0.05)
    monkeypatch.setattr(timer, "workers_apart", _fails)
    shop.open_shop(store, settings, tasks=2)
    with Timer(settings, store):
        until(lambda: "reconcile" in woken(settings, redis), seconds=10)
        shop.annotate(store, [1])
        until(lambda: "train" in woken(settings, redis), seconds=10)


def test_a_look_that_fails_is_told_and_the_next_one_works(
    settings: Settings, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop.open_shop(store, settings, tasks=2)
    shop.annotate(store, [1])
    with monkeypatch.context() as broken:
        broken.setattr(queue, "wake_training", _fails)
        tick(settings, store)
    assert "RuntimeError: no such project" in caplog.text
    tick(settings, store)
    assert "train" in woken(settings, redis)


def _fails(*_: object) -> None:
    raise RuntimeError("no such project")


def test_nothing_is_compared_or_read_of_a_connection_that_is_not_configured_any_more(
    settings: Settings, store: Store, redis: Redis
) -> None:
    store.projects.ensure("removed/2.1", shop.CONFIG)
    store.projects.reach_in_encoding("removed/2.1", 5)
    tick(settings, store)
    assert woken(settings, redis) == []


def test_a_gone_project_is_left_alone(settings: Settings, store: Store, redis: Redis) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    store.projects.request_training(KEY)
    store.fast_answers.give(KEY, "v1", [1])
    store.projects.note_presence(KEY, is_there=False)
    often = settings.changed(reconcile_minutes=1e-6, settle_seconds=0.0)
    tick(often, store)
    assert woken(settings, redis) == []
    store.projects.note_presence(KEY, is_there=True)
    tick(often, store)
    assert woken(settings, redis) == ["reconcile", "train"]


def test_an_encoding_that_was_killed_on_the_way_goes_on(settings: Settings, store: Store, redis: Redis) -> None:
    shop.open_shop(store, settings, tasks=4)
    finish_reconcile(store)
    store.projects.reach_in_encoding(KEY, 2)
    running = store.leases.acquire(lease_name("encode", KEY), "running", 60)
    assert running
    tick(settings, store)
    assert woken(settings, redis) == []
    store.leases.release(running)
    tick(settings, store)
    assert woken(settings, redis) == ["encode"]
    redis.flushall()
    store.projects.reach_in_encoding(KEY, 0)
    tick(settings, store)
    assert woken(settings, redis) == []


def test_unread_pictures_are_tried_again_when_their_pause_is_over(
    settings: Settings, store: Store, redis: Redis, moved: Callable[[float], None]
) -> None:
    shop.open_shop(store, settings, tasks=4)
    finish_reconcile(store)
    store.pictures.note(KEY, {1: "host 'img.shop.test' is not allowed"})
    tick(settings, store)
    assert woken(settings, redis) == []
    moved(FIRST_PAUSE_S)
    tick(settings, store)
    assert woken(settings, redis) == ["encode"]

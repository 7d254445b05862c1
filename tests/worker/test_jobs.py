import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import torch
from redis import Redis

import model.training.progressive
import worker.training.run
from labelstudio.api import LabelStudioError
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.weak_supervision.sources import BOXES
from store.leases import LeaseLost, lease_name
from store.projects import RECONCILE_PAUSE_S
from store.store import Store
from store.versions import State
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from testing.shop import SHOP
from testing.waiting import until
from tests.worker import shop
from tests.worker.crew import Worker, crew
from tests.worker.progress import (
    KEY,
    begin,
    is_trained,
    log_of,
    queued,
    served,
    states,
    tagger_of,
    tick,
    training,
)
from worker import jobs, queue


@pytest.mark.usefixtures("here")
def test_a_reconcile_that_fails_is_due_again_later(
    store: Store, monkeypatch: pytest.MonkeyPatch, moved: Callable[[float], None]
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    store.projects.ensure(KEY, shop.CONFIG)
    with pytest.raises(LabelStudioError, match=r"127\.0\.0\.1:1"):
        jobs.reconcile(KEY)
    assert store.projects.waiting_for_reconcile(0.0) == []
    moved(RECONCILE_PAUSE_S + 1)
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]


@pytest.mark.usefixtures("here")
def test_a_label_studio_that_does_not_answer_is_asked_once_for_all_its_projects(
    store: Store, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    for key in (KEY, "default/3.1", "other/3.1"):
        store.projects.ensure(key, shop.CONFIG)
    with pytest.raises(LabelStudioError, match=r"127\.0\.0\.1:1"):
        jobs.reconcile(KEY)
    assert "postponed" in jobs.reconcile("default/3.1")
    assert queued(settings, redis) == [], "nothing has changed"
    assert store.projects.waiting_for_reconcile(0.0) == ["other/3.1"]
    store.projects.request_reconcile("default/3.1", urgent=True)
    with pytest.raises(LabelStudioError, match=r"127\.0\.0\.1:1"):
        jobs.reconcile("default/3.1")


@pytest.mark.usefixtures("here")
def test_a_reconcile_of_a_connection_that_is_not_configured_any_more_waits_too(store: Store) -> None:
    store.projects.ensure("removed/2.1", shop.CONFIG)
    with pytest.raises(UserError, match="removed"):
        jobs.reconcile("removed/2.1")
    assert store.projects.waiting_for_reconcile(0.0) == []


@pytest.mark.usefixtures("here")
def test_without_a_label_studio_a_reconcile_says_so_and_is_not_tried_again(store: Store) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    assert "set LABEL_STUDIO_URL" in jobs.reconcile(KEY)
    assert store.projects.waiting_for_reconcile(60.0) == []


@pytest.mark.usefixtures("here")
def test_tasks_that_come_while_others_are_read_are_read_next(
    store: Store, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=4)

    def reads(*_: object) -> str:
        queue.wake_encoding(settings, KEY)  # tasks have come in
        return "4 tasks encoded"

    monkeypatch.setattr(jobs, "encode_project", reads)
    jobs.encode(KEY)
    assert "worker.jobs.encode" in [job.func_name for job in queued(settings, redis)]
    monkeypatch.setattr(jobs, "encode_project", lambda *_: "nothing left")
    redis.flushall()
    jobs.encode(KEY)
    assert "worker.jobs.encode" not in [job.func_name for job in queued(settings, redis)]


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_gold_becomes_a_version_that_serves(store: Store, settings: Settings) -> None:
    shop.open_shop(store, settings, tasks=60)
    shop.annotate(store, range(1, 46))
    assert "promoted v1." in jobs.train(KEY)
    assert is_trained(store)
    assert served(store, settings).startswith("v1.")
    assert sum(state is State.CURRENT for state in states(store).values()) == 1
    tagger = tagger_of(store, settings)
    items = [SHOP.item(number)[0] for number in range(46, 61)]
    opinions_NK, weak = tagger.box_opinions(items), tagger.weak_labels(items)
    assert opinions_NK is not None
    boxes_NK = weak.provenance_SNK[weak.sources.index(BOXES)]
    assert boxes_NK.any()
    assert torch.equal(boxes_NK != 0, opinions_NK != 0)
    assert jobs.train(KEY) == "nothing new"
    (kept,) = (settings.paths.home / "neighbours").iterdir()
    assert kept.suffix == ".safetensors"


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_broken_tagger_is_refused_though_its_recipe_is_good(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.training.progressive.fit

    def spoilt(*given: Any, **options: Any) -> Tagger:
        tagger = whole(*given, **options)
        return replace(tagger, label_model=replace(tagger.label_model, bias_K=tagger.label_model.bias_K - 20))

    monkeypatch.setattr(worker.training.run, "fit", spoilt)
    shop.open_shop(store, settings, tasks=50)
    shop.annotate(store, range(1, 41))
    jobs.train(KEY)
    (refused, _cold) = store.versions.list(KEY)
    assert refused.state is State.REFUSED
    assert "its own gold" in refused.reason
    assert served(store, settings).startswith("v0.")
    assert is_trained(store)


@pytest.mark.usefixtures("here")
def test_a_second_worker_leaves_a_running_training_alone(store: Store, settings: Settings) -> None:
    shop.open_shop(store, settings, tasks=10)
    shop.annotate(store, range(1, 9))
    lease = store.leases.acquire(lease_name("train", KEY), "another", ttl=60)
    assert lease
    assert jobs.train(KEY) == "another worker is at it"
    store.leases.renew(lease, ttl=60)


@pytest.mark.usefixtures("here")
def test_a_training_whose_lease_is_taken_stops_and_promotes_nothing(
    store: Store, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=40)
    shop.annotate(store, range(1, 31))

    def rob(_progress: object) -> None:
        store.leases.revoke(lease_name("train", KEY))

    monkeypatch.setattr(jobs, "_report", rob)
    assert jobs.train(KEY).startswith("ended early: ")
    assert served(store, settings).startswith("v0.")
    assert not is_trained(store)
    assert "worker.jobs.train" in [job.func_name for job in queued(settings, redis)]


@pytest.mark.usefixtures("here")
def test_a_failing_training_says_why_and_is_not_lost(store: Store, settings: Settings) -> None:
    shop.open_shop(store, settings, tasks=10)
    shop.annotate(store, [1, 2, 3])
    store.projects.ensure(KEY, "<View><Broken")
    with pytest.raises(ValueError, match="not well-formed"):
        jobs.train(KEY)
    project = store.projects.get(KEY)
    assert project
    assert "not well-formed" in project.failure
    assert project.has_new_gold


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("job", [jobs.train, jobs.encode, jobs.reconcile, jobs.predict])
def test_a_project_that_is_not_in_the_store_is_a_failure(job: Callable[[str], str], settings: Settings) -> None:
    with pytest.raises(UserError, match=rf"default/9\.9 is not in {settings.paths.home}.*TAGLOOM_HOME"):
        job("default/9.9")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_stock_worker_trains_once_for_a_burst(store: Store, settings: Settings, redis: Redis) -> None:
    shop.open_shop(store, settings, tasks=60)
    with crew(settings.changed(settle_seconds=3.0)) as stock:
        until(lambda: "Listening on" in stock.log.read_text())  # the first of them begins a training
        for number in range(1, 41):
            shop.annotate(store, [number])
            queue.wake_training(settings, KEY)
            assert len(queued(settings, redis)) <= 1
        until(lambda: is_trained(store))
        until(lambda: not queued(settings, redis) and not stock.horse())
        assert "Traceback" not in stock.log.read_text()
    ended = [entry for entry in store.versions.list(KEY) if entry.phase == TrainConfig().continuation[-1].name]
    assert [entry.gold_count for entry in ended] == [40]
    assert not served(store, settings).startswith("v0.")
    assert sum(state is State.CURRENT for state in states(store).values()) == 1


def at_work(one: Worker, another: Worker) -> tuple[Worker, Worker]:
    """Who does the only job, and who waits for one."""
    assert bool(one.horse()) is not bool(another.horse())
    return (one, another) if one.horse() else (another, one)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_work_horse_is_replaced_and_goes_on(store: Store, settings: Settings, redis: Redis) -> None:
    with crew(settings) as stock:
        begin(store, settings)
        until(lambda: training(settings) >= 3, every=0.01)
        horse = stock.horse()
        assert horse
        horse.kill()
        redis.delete(*redis.keys("rq:job:train-*"))
        until(lambda: tick(store, settings) or training(settings) >= 3, every=0.1)
        until(lambda: tick(store, settings), seconds=180, every=0.2)
    assert "goes on after epoch" in log_of(settings)
    assert served(store, settings)[:2] in {"v1", "v2", "v3", "v4"}


LOCKED_S = 32.0  # longer than SQLite's own patience, and than a lease


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_database_that_is_locked_for_long_ends_no_training(store: Store, settings: Settings, redis: Redis) -> None:
    with crew(settings) as stock:
        begin(store, settings)
        until(lambda: training(settings) >= 3, every=0.01)
        with closing(sqlite3.connect(settings.paths.home / "tagloom.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(LOCKED_S)
            other.execute("ROLLBACK")
        until(lambda: is_trained(store), seconds=120)
        assert "goes on after epoch" not in stock.log.read_text(), "the same work horse went on"
        assert "Traceback" not in stock.log.read_text()
    assert served(store, settings)[:2] in {"v1", "v2", "v3", "v4"}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_dead_workers_training_goes_on_elsewhere_within_15_s(store: Store, settings: Settings, redis: Redis) -> None:
    with crew(settings) as one, crew(settings) as another:
        begin(store, settings)
        until(lambda: training(settings) >= 3, every=0.01)
        dead, alive = at_work(one, another)
        dead.end()
        until(lambda: tick(store, settings) or ": train " in alive.log.read_text(), seconds=15, every=0.1)
        until(lambda: "goes on after epoch" in alive.log.read_text())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_sigterm_ends_after_the_epoch_and_another_worker_goes_on(
    store: Store, settings: Settings, redis: Redis
) -> None:
    with crew(settings) as stock:
        begin(store, settings)
        until(lambda: training(settings) >= 3, every=0.01)
        os.kill(stock.process.pid, signal.SIGTERM)
        assert stock.wait(20) == 0
        assert not is_trained(store)
        assert [job.func_name for job in queued(settings, redis)].count("worker.jobs.train") == 1
    assert Worker(settings, "--burst").wait() == 0
    assert is_trained(store)
    assert "goes on after epoch" in log_of(settings)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_orphan_ends_and_its_training_goes_on_elsewhere(store: Store, settings: Settings, redis: Redis) -> None:
    with crew(settings) as one, crew(settings) as another:
        begin(store, settings)
        until(lambda: training(settings) >= 3, every=0.01)
        dead, alive = at_work(one, another)
        orphan = dead.horse()
        assert orphan
        dead.process.kill()
        dead.process.wait()
        until(lambda: not orphan.is_running() or orphan.status() == "zombie", seconds=20)
        assert not is_trained(store)
        until(lambda: tick(store, settings), seconds=180, every=0.2)
        assert "goes on after epoch" in alive.log.read_text()
    assert sum(state is State.CURRENT for state in states(store).values()) == 1


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_emptied_redis_loses_nothing(store: Store, settings: Settings, redis: Redis) -> None:
    begin(store, settings)
    redis.flushall()
    with crew(settings):
        until(lambda: tick(store, settings), seconds=180, every=0.5)
    assert not served(store, settings).startswith("v0.")


def test_a_stale_token_cannot_promote(store: Store, moved: Callable[[float], None]) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    stale = store.leases.acquire(lease_name("train", KEY), "slow", ttl=10)
    assert stale
    moved(11)
    assert store.leases.acquire(lease_name("train", KEY), "successor", ttl=60)
    with pytest.raises(LeaseLost):
        store.versions.promote(KEY, 0, stale, generation=0)

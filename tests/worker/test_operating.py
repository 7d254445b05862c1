"""What operators ask for is noted in the store, and can be followed until a real worker has done it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from store.leases import lease_name
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.backend.parts import NO_REDIS
from tests.worker import shop
from worker import operating, queue
from worker.following import Following, Look
from worker.queue import Kind

KEY = str(shop.KEY)


@pytest.fixture
def settings(tmp_path: Path, valkey: str) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings.paths.database)
    shop.open_shop(opened, settings, tasks=2)
    yield opened
    opened.close()
    with Redis.from_url(settings.work.redis_url) as connection:
        connection.flushdb()


def test_a_training_is_noted_and_queued_with_a_comparison(settings: Settings, store: Store) -> None:
    asked = operating.start_training(settings, store, KEY)
    assert asked.is_queued
    assert store.projects.waiting_for_training() == [KEY]
    assert store.projects.waiting_for_reconcile(0.0) == [KEY]
    assert queue.newest_job(settings, Kind.TRAIN, KEY)
    assert queue.newest_job(settings, Kind.RECONCILE, KEY)


def test_without_redis_it_is_noted_all_the_same(settings: Settings, store: Store) -> None:
    away = settings.changed(redis_url=NO_REDIS)
    assert not operating.start_training(away, store, KEY).is_queued
    assert not operating.start_reconcile(away, store, KEY).is_queued
    assert store.projects.waiting_for_training() == [KEY]
    assert queue.newest_job(away, Kind.TRAIN, KEY) is None


def test_a_training_is_done_once_its_gold_is_used(settings: Settings, store: Store) -> None:
    following = Following(settings, store, KEY, Kind.TRAIN)
    asked = operating.start_training(settings, store, KEY)
    assert following.look(asked) == Look(is_done=False)
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    store.projects.finish_training(KEY, asked.revision, lease)
    assert following.look(asked).is_done


def test_a_comparison_is_done_when_one_has_ended_that_began_after_the_request(settings: Settings, store: Store) -> None:
    lease = store.leases.acquire(lease_name("reconcile", KEY), "test", 60)
    assert lease
    store.projects.begin_reconcile(KEY)
    following = Following(settings, store, KEY, Kind.RECONCILE)
    asked = operating.start_reconcile(settings, store, KEY)
    store.projects.finish_reconcile(KEY, lease)
    assert not following.look(asked).is_done, "it had begun before"
    store.projects.begin_reconcile(KEY)
    store.projects.finish_reconcile(KEY, lease)
    assert following.look(asked).is_done


@pytest.mark.slow
def test_a_job_that_fails_is_told_with_its_reason(settings: Settings, store: Store) -> None:
    following = Following(settings, store, KEY, Kind.TRAIN)
    asked = operating.start_training(settings, store, KEY)
    # Nothing there encodes: the worker has no such encoder.
    url = settings.work.redis_url
    command = [sys.executable, "-m", "rq.cli", "worker", "-S", "json", "-u", url, "--burst", "tagloom"]
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), "TAGLOOM_HOME": str(settings.paths.home),
        "REDIS_URL": url, "TAGLOOM_TEXT_ENCODER": "nobody/model", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    subprocess.run(command, env=environment, check=False, capture_output=True, timeout=110)
    with pytest.raises(UserError, match=rf"the training of {KEY} failed: .*nobody/model.*; it is tried again"):
        until(lambda: following.look(asked).is_done, seconds=5)
    # A failure of before says nothing of a new request.
    later = Following(settings, store, KEY, Kind.TRAIN)
    assert not later.look(asked).is_done


def test_a_project_that_is_gone_or_forgotten_is_not_waited_for(settings: Settings, store: Store) -> None:
    following = Following(settings, store, KEY, Kind.TRAIN)
    asked = operating.start_training(settings, store, KEY)
    store.projects.note_presence(KEY, is_there=False)
    with pytest.raises(UserError, match=r"has no project .* any more"):
        following.look(asked)
    other = Following(settings, store, "default/9.1795288799", Kind.TRAIN)
    with pytest.raises(UserError, match="was forgotten meanwhile"):
        other.look(asked)

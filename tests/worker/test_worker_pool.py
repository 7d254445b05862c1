"""Stock `rq worker-pool`, as the operator's guide says to start it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
import rq
from redis import Redis

from store.store import Store
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.worker import shop
from tests.worker.crew import Worker
from worker import queue

KEY = str(shop.KEY)


@contextmanager
def pool(settings: Settings) -> Iterator[Worker]:
    started = Worker(settings, "-n", "2", kind="worker-pool")
    try:
        yield started
    finally:
        if started.process.poll() is None:
            for process in psutil.Process(started.process.pid).children(recursive=True):
                process.kill()
        started.end()


def is_trained(store: Store) -> bool:
    project = store.projects.get(KEY)
    assert project
    return not project.has_new_gold


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_gold_becomes_a_version_that_serves(store: Store, settings: Settings, redis: Redis) -> None:
    shop.open_shop(store, settings, tasks=60)
    with pool(settings) as workers:
        until(lambda: rq.Worker.count(connection=redis) == 2)
        shop.annotate(store, range(1, 46))
        queue.wake_training(settings, KEY)
        until(lambda: is_trained(store), 180)
        current = store.versions.current(KEY)
        assert current
        assert current.number > 0
        workers.process.send_signal(signal.SIGTERM)
        assert workers.wait(30) == 0
        assert rq.Worker.count(connection=redis) == 0
        assert "Traceback" not in workers.log.read_text()

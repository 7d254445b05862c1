from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

import worker.workplace
from store.store import Store
from tagloom_base.settings import Settings
from tests.worker import shop
from tests.worker.crew import environment
from worker import queue


@pytest.fixture
def settings(tmp_path: Path, valkey: str) -> Settings:
    return Settings(
        home=tmp_path,
        redis_url=valkey,
        queue=tmp_path.name,
        settle_seconds=0.0,
        training_threads=1,
        promotion_seconds=0.0,
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings.paths.database)
    yield opened
    opened.close()


@pytest.fixture
def redis(settings: Settings) -> Redis:
    connection = queue.redis_of(settings.work.redis_url)
    connection.flushall()
    return connection


@pytest.fixture
def here(settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in this process, with the stub encoders."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)

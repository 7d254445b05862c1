from pathlib import Path

import pytest

import worker.workplace
from model import checkpoint
from store.leases import lease_name
from store.store import Store
from store.versions import Current, NewVersion, State
from tagloom_base.settings import Settings
from tests.backend.parts import SPACE, cold
from tests.worker import shop
from worker import jobs
from worker.training.recovery import readable

KEY = str(shop.KEY)


def start(settings: Settings, store: Store, instead_of: Current | None = None) -> Current:
    return shop.cold_start(settings, store, ("主体", "LOGO"), space=SPACE, instead_of=instead_of)


def spoil(settings: Settings, current: Current) -> None:
    path = settings.paths.checkpoints / current.folder / checkpoint.TENSORS
    path.write_bytes(path.read_bytes()[:-8])


def test_the_newest_that_can_be_read_takes_over(settings: Settings, store: Store) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    current = start(settings, store)
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    assert (
        readable(settings.paths.checkpoints, store, KEY, lease, current, lambda it: start(settings, store, it))
        == current
    )
    for number in (1, 2, 3):
        tagger = cold(current.labels, seed=number)
        version, folder = f"v{number}.{number:04}", f"{KEY}/v{number}"
        checkpoint.save(
            tagger.named(version),
            settings.paths.checkpoints / folder,
            version=version,
            about=checkpoint.About(phase="test"),
        )
        assert store.versions.reserve(KEY) == number
        new = NewVersion(number, version, "", folder, "test", SPACE, current.labels, {}, number, 1, 0)
        store.versions.add(KEY, new, lease)
        current = store.versions.promote(KEY, number, lease, generation=current.generation)
        if number > 1:
            spoil(settings, current)
    found = readable(settings.paths.checkpoints, store, KEY, lease, current, lambda it: start(settings, store, it))
    assert found == store.versions.current(KEY)
    assert found.version == "v1.0001"
    states = {entry.number: entry.state for entry in store.versions.list(KEY)}
    assert states == {3: State.REFUSED, 2: State.SUPERSEDED, 1: State.CURRENT, 0: State.SUPERSEDED}


def test_where_nothing_can_be_read_a_cold_start_takes_over(settings: Settings, store: Store) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    current = start(settings, store)
    spoil(settings, current)
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    found = readable(settings.paths.checkpoints, store, KEY, lease, current, lambda it: start(settings, store, it))
    assert found.number == 1
    assert found == store.versions.current(KEY) == start(settings, store)
    checkpoint.load(settings.paths.checkpoints / found.folder, space=SPACE)


@pytest.mark.slow
def test_a_training_gets_over_it(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    for name, value in {
        "TAGLOOM_HOME": tmp_path,
        "REDIS_URL": settings.work.redis_url,
        "TAGLOOM_SETTLE_SECONDS": "0",
    }.items():
        monkeypatch.setenv(name, str(value))
    shop.open_shop(store, settings, tasks=8)
    shop.annotate(store, range(1, 7))
    current = shop.cold_start(settings, store)
    spoil(settings, current)
    jobs.train(KEY)
    project = store.projects.get(KEY)
    assert project
    assert not project.has_new_gold
    serving = store.versions.current(KEY)
    assert serving
    checkpoint.load(settings.paths.checkpoints / serving.folder, space=shop.SPACE)

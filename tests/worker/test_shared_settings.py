"""A worker whose settings are not the backend's is told of, by the setting's name, until it ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

import worker.workplace
from store.processes import BACKEND, WORKER, Process
from store.store import Store
from tagloom_base import logs
from tagloom_base.groups import ConnectionSettings
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.worker import shop
from tests.worker.crew import Worker, environment
from worker import jobs, queue, timer
from worker.encoding import encode as encode_project
from worker.shared_settings import SHARED, backend_of, differences, shared, workers_apart
from worker.timer import Timer

KEY = str(shop.KEY)


def alive(redis: Redis, name: str) -> None:
    redis.hset(f"rq:worker:{name}", "birth", "now")


def test_each_setting_that_differs_is_named_and_no_secret_is_shown(tmp_path: Path) -> None:
    words = tmp_path / "words.toml"
    words.write_text('[[cues]]\nlabel = "LOGO"\n')
    secret = SecretStr("geheim" * 6)
    far = ConnectionSettings(url="http://far.test", token=secret, url_secrets=(secret,))
    one = Settings(home=tmp_path).changed(
        label_studio_url="http://user:geheim@studio.test",
        label_studio_token=secret,
        label_studio_names=("http://user:geheim@pictures.test",),
        connections={"far": far},
        industry_keys=("a",),
        image_hosts=("img.shop.test",),
        image_roots=(tmp_path,),
        image_max_bytes=1,
        image_max_pixels=1,
        image_seconds=1.0,
        image_encoder=f"torchvision:resnet50@{tmp_path}/weights.pth",
        text_encoder="ngrams",
        joint_encoder=f"{tmp_path}/clip",
        lexicon=words,
        seed=1,
        draw_seconds=7.0,
        promotion_seconds=1.0,
        refresh_predictions=False,
        uncertainty_sampling=True,
        columns=True,
    )
    lines = differences(shared(one), Process("w1", WORKER, shared(Settings(home=tmp_path)), 0.0))
    assert [line.split()[0] for line in lines] == list(shared(one))
    assert len(lines) == len(SHARED)
    assert "geheim" not in str(lines) + str(shared(one))
    assert any(f"({tmp_path}, not set)" in line and "worker w1" in line for line in lines)
    assert not any("(" in line for line in differences(shared(one), Process("w1", WORKER, {}, 0.0), values=False))


def test_where_a_file_lies_makes_no_difference(tmp_path: Path) -> None:
    made = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "words.toml").write_text("")
        given = {"lexicon": folder / "words.toml", "image_encoder": f"torchvision:resnet50@{folder}/weights.pth"}
        made.append(shared(Settings(home=folder).changed(**given)))
    assert made[0] == made[1]


def test_a_worker_that_lacks_a_setting_is_told_of_by_worker_backend_and_store(
    store: Store,
    settings: Settings,
    redis: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop.open_shop(store, settings, tasks=4)
    theirs = settings.changed(image_roots=(tmp_path,))
    store.processes.note("backend 1", BACKEND, shared(theirs))
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    monkeypatch.setattr(SimpleWorker, "_install_signal_handlers", lambda *_, **__: None)  # they are pytest's here
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)  # pytest collects the lines here
    queue.wake_encoding(settings, KEY)
    lacking = SimpleWorker([settings.work.queue], name="lacking", connection=redis, serializer=JSONSerializer)
    lacking.work(burst=True, max_jobs=1)
    assert "TAGLOOM_IMAGE_ROOTS differs between the backend and worker lacking" in caplog.text

    backend = backend_of(store)
    assert backend
    assert workers_apart(settings, store, backend.settings) == [], "it has ended"
    alive(redis, "lacking2")
    store.processes.note("lacking2", WORKER, shared(settings))
    assert [process.name for process in workers_apart(settings, store, backend.settings)] == ["lacking2"]
    monkeypatch.setattr(timer, "EVERY_S", 0.05)
    with Timer(theirs, store):
        until(lambda: "worker lacking2" in caplog.text, seconds=10)
    assert len(store.processes.of_role(BACKEND)) == 1, "a backend that ends is forgotten"
    assert sum("worker lacking2" in record.getMessage() for record in caplog.records) == 1, "once"


def test_while_redis_is_away_a_worker_counts_for_some_minutes(
    store: Store, settings: Settings, tmp_path: Path, moved: Callable[[float], None]
) -> None:
    away = settings.changed(redis_url="redis://127.0.0.1:1/0")
    store.processes.note("w", WORKER, shared(settings))
    theirs = shared(settings.changed(image_roots=(tmp_path,)))
    assert [process.name for process in workers_apart(away, store, theirs)] == ["w"]
    moved(601)
    assert workers_apart(away, store, theirs) == []


def test_a_sign_of_life_is_written_now_and_then(store: Store, moved: Callable[[float], None]) -> None:
    assert store.processes.note("b", BACKEND, {"A": "1"})
    first = store.processes.of_role(BACKEND)[0].seen_at
    moved(5)
    assert not store.processes.note("b", BACKEND, {"A": "1"})
    assert store.processes.of_role(BACKEND)[0].seen_at == first
    moved(20)
    assert not store.processes.note("b", BACKEND, {"A": "1"})
    assert store.processes.of_role(BACKEND)[0].seen_at > first
    assert store.processes.note("b", BACKEND, {"A": "2"})
    moved(2 * 24 * 3600)
    store.processes.note("c", BACKEND, {})
    assert [process.name for process in store.processes.of_role(BACKEND)] == ["c"]


@pytest.mark.slow
@pytest.mark.usefixtures("redis")
def test_a_worker_that_starts_has_unread_pictures_tried_again_at_once(store: Store, settings: Settings) -> None:
    shop.open_shop(store, settings, tasks=2)
    store.pictures.note(KEY, {1: "host 'img.shop.test' is not allowed"})
    assert store.pictures.due() == []
    started = Worker(settings, "--burst")
    assert started.wait() == 0
    assert store.pictures.due() == [KEY]


def test_a_worker_that_outlived_an_emptied_redis_counts_again_with_its_next_job(
    store: Store, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=4)
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    monkeypatch.setattr(SimpleWorker, "_install_signal_handlers", lambda *_, **__: None)  # they are pytest's here
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    counted = []

    def enter(*given: Any) -> Any:
        # What an emptied Redis lacks of a worker that goes on.
        redis.delete("rq:workers", f"rq:workers:{settings.work.queue}")
        counted.append(queue.count_workers(settings))
        return real_enter(*given)

    def encode(*given: Any) -> Any:
        counted.append(queue.count_workers(settings))
        return real_encode(*given)

    real_enter, real_encode = jobs._enter, encode_project
    monkeypatch.setattr(jobs, "_enter", enter)
    monkeypatch.setattr(jobs, "encode_project", encode)
    queue.wake_encoding(settings, KEY)
    SimpleWorker([settings.work.queue], connection=redis, serializer=JSONSerializer).work(burst=True, max_jobs=1)
    assert counted == [0, 1]

"""/health within its second, whatever the backend is busy with: without it Label Studio hides all predictions."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from backend.app import create_app
from backend.ties import Dependencies, dependencies_of
from model.features.item import ItemFeatures
from model.items import Item
from tagloom_base.settings import Settings
from tests import captured
from tests.backend.parts import NO_REDIS, Backend, CheapEncoders, running
from tests.backend.questions import TAGS, question, ready
from tests.backend.swaps import next_version, wait_for
from tests.labelstudio.studio import Studio

LIMIT_S = 1.0


def slowest_health(backend: Backend, while_alive: threading.Thread) -> tuple[float, int]:
    """The longest /health while a thread runs, and how many there were."""
    times: list[float] = []
    while while_alive.is_alive() or not times:
        began = time.perf_counter()
        assert backend.client.get("/health").json()["status"] == "UP"
        times.append(time.perf_counter() - began)
    return max(times), len(times)


class Busy(CheapEncoders):
    """Reads as the real encoders do: seconds of work that hold Python's lock."""

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        end = time.monotonic() + 0.2 * sum(item.image is not None for item in items)
        while time.monotonic() < end:
            sum(range(10_000))
        return super().extract(items)


def test_health_while_the_encoders_load(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    settings = Settings(home=tmp_path, redis_url=NO_REDIS, predict_budget=0.2)
    loaded, nothing = threading.Event(), lambda _: None

    def encoders(_: object) -> CheapEncoders:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:  # importing and unpacking holds the lock too
            sum(range(10_000))
        assert loaded.wait(30)
        return CheapEncoders()

    app = create_app(settings, Dependencies(encoders, dependencies_of(settings).cold_start, nothing, nothing, nothing))
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        try:
            for _ in range(5):
                began = time.perf_counter()
                told = client.get("/health").json()
                assert told == {"status": "UP", "ready": False, "degraded": [], "model_class": "Tagloom"}
                assert time.perf_counter() - began < LIMIT_S
            began = time.perf_counter()
            assert client.post("/setup", json=captured.body("02")).json() == {}
            assert time.perf_counter() - began < 3.0, "/setup's own limit"
            assert client.post("/webhook", json=captured.body("10")).status_code == 200
            answers = client.post("/predict", json=captured.body("04")).json()["results"]
            assert [answer["result"] for answer in answers] == [[], []]
        finally:
            loaded.set()


def test_health_while_pictures_are_read_and_answered(tmp_path: Path, studio: Studio) -> None:
    with running(tmp_path, Busy(), label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        ready(backend)
        asking = threading.Thread(target=backend.client.post, args=("/predict",), kwargs={"json": question(8)})
        asking.start()
        slowest, count = slowest_health(backend, asking)
        asking.join()
    assert slowest < LIMIT_S
    assert count > 3


def test_health_while_a_version_loads(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    from model import checkpoint

    load = checkpoint.load

    def slow(*args: object, **more: object) -> object:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            sum(range(10_000))
        return load(*args, **more)  # type: ignore[arg-type]

    ready(backend)
    monkeypatch.setattr(checkpoint, "load", slow)
    new = next_version(backend, 3)
    swapping = threading.Thread(target=wait_for, args=(new, backend))
    swapping.start()
    assert slowest_health(backend, swapping)[0] < LIMIT_S
    swapping.join()
    assert backend.setup({**captured.body("02"), "schema": TAGS}) == new

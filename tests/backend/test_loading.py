"""The home's encoders change while a backend runs: it loads the new ones, and serves by the old ones until then."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from backend import loading
from backend.app import create_app
from backend.service import Service
from backend.ties import Dependencies, dependencies_of
from store.processes import BACKEND
from store.store import Store
from tagloom_base.groups import EncoderSettings
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.backend.parts import NO_REDIS, CheapEncoders
from tests.backend.questions import TAGS
from worker import timer

SETUP = {"project": "7.1", "schema": TAGS}
ASKED = {"tasks": [{"id": 1, "data": {"title": "买一送一 赠品"}}], "project": "7.1", "label_config": TAGS}


class Named(CheapEncoders):
    """Encoders whose space follows from their names; ``spoilt`` cannot be loaded, others wait for ``may_load``."""

    may_load = threading.Event()

    def __init__(self, encoders: EncoderSettings) -> None:
        super().__init__()
        if encoders.text_encoder == "spoilt":
            raise ValueError("no such weights")
        assert self.may_load.wait(10)
        self.space = f"{encoders.image_encoder:.8}{encoders.text_encoder:.8}".ljust(16, "-")

    def describe(self) -> dict[str, str]:
        return {"image": self.space}


@contextmanager
def started(home: Path, budget: float = 0.2, **given: str) -> Iterator[tuple[TestClient, Service]]:
    settings = Settings(home=home, redis_url=NO_REDIS, predict_budget=budget, **given)
    asked = Dependencies(Named, dependencies_of(settings).cold_start, *[lambda _: None] * 3)
    app = create_app(settings, asked)
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        yield client, app.state.service


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LOOK_S", 0.05)
    monkeypatch.setattr(timer, "EVERY_S", 0.05)
    Named.may_load.set()


def space(client: TestClient) -> str:
    answer: str = client.get("/status").json()["encoders"].get("image", "")
    return answer


def noted(store: Store) -> str:
    (backend,) = store.processes.of_role(BACKEND)
    return backend.settings["TAGLOOM_TEXT_ENCODER"]


def test_a_new_home_keeps_the_encoders_that_it_begins_with(tmp_path: Path) -> None:
    with started(tmp_path) as (client, service):
        service.engine.result(10)
        assert service.store.encoders.kept() == {"image": "efficientnet-lite0", "text": "shipped"}
        assert space(client) == "efficienshipped-"
        assert any("bert-base-chinese" in line for line in client.get("/status").json()["better_encoders"])


def test_changed_encoders_are_loaded_beside_the_old_ones(tmp_path: Path) -> None:
    # The first answer of new encoders also makes a version.
    with started(tmp_path, budget=3.0) as (client, service):
        old = service.engine.result(10)
        first = client.post("/setup", json=SETUP).json()["model_version"]
        Named.may_load.clear()
        service.store.encoders.replace({"text": "ngrams"})
        for _ in range(4):
            assert client.post("/predict", json=ASKED).json()["results"][0]["model_version"] == first
        assert space(client) == "efficienshipped-", "served by the old ones while the new ones load"
        Named.may_load.set()
        until(lambda: space(client) == "efficienngrams--", seconds=10)
        second = client.post("/predict", json=ASKED).json()["results"][0]
        assert second["model_version"] != first
        assert second["result"]
        until(lambda: noted(service.store) == "ngrams", seconds=10)
        # A worker is compared with the encoders that serve now.
        assert service.shared["TAGLOOM_TEXT_ENCODER"] == "ngrams"
        until(lambda: not old.inference._new._thread.is_alive(), seconds=10)


def test_encoders_that_cannot_be_loaded_leave_the_old_ones_serving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with started(tmp_path) as (client, service):
        service.engine.result(10)
        service.store.encoders.replace({"text": "spoilt"})
        until(lambda: "cannot be loaded, the old ones serve on" in caplog.text, seconds=10)
        assert "no such weights" in caplog.text
        assert space(client) == "efficienshipped-"
        assert client.get("/health").json()["ready"]
        service.store.encoders.replace({"text": "ngrams"})
        until(lambda: space(client) == "efficienngrams--", seconds=10)
    assert caplog.text.count("no such weights") == 1


def test_a_change_mends_a_backend_that_could_not_load_its_encoders(tmp_path: Path) -> None:
    store = Store.open(Settings(home=tmp_path).paths.database)
    store.encoders.replace({"image": "shipped", "text": "spoilt"})
    with started(tmp_path) as (client, _):
        until(lambda: client.get("/health").status_code == 503, seconds=10)
        store.encoders.replace({"text": "shipped"})
        until(lambda: client.get("/health").status_code == 200, seconds=10)
    store.close()


def test_encoders_of_the_environment_do_not_follow_the_home(tmp_path: Path) -> None:
    with started(tmp_path, image_encoder="shipped", text_encoder="ngrams") as (client, service):
        engine = service.engine.result(10)
        service.store.encoders.replace({"image": "efficientnet-lite0", "text": "shipped"})
        threading.Event().wait(0.3)
        assert service.engine.result() is engine
        assert space(client) == "shipped" + "ngrams".ljust(9, "-")


def test_while_the_database_is_away_nothing_is_said_of_encoders(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(tmp_path) as (client, service):
        service.engine.result(10)
        caplog.clear()
        looks: list[None] = []

        def away() -> dict[str, str]:
            looks.append(None)
            raise OperationalError("SELECT", {}, OSError("away"))

        monkeypatch.setattr(service.store.encoders, "kept", away)
        until(lambda: len(looks) > 2, seconds=10)
        assert "encoders cannot be loaded" not in caplog.text
        assert client.get("/health").json()["ready"]


def test_what_would_delay_answers_is_done_before_the_models_are_given(tmp_path: Path) -> None:
    settings, nothing = Settings(home=tmp_path, redis_url=NO_REDIS), lambda _: None
    cheap, given = CheapEncoders(), list[bool]()

    def settle() -> None:
        until(lambda: hasattr(app.state, "service"), seconds=20)
        given.append(app.state.service.engine.done())

    dependencies = Dependencies(lambda _: cheap, dependencies_of(settings).cold_start, nothing, nothing, nothing)
    app = create_app(settings, dependencies, settle=settle)
    with TestClient(app, client=("127.0.0.1", 1)):
        app.state.service.engine.result(20)
    assert given == [False]

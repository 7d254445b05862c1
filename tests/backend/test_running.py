import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.running import require_startable, warn_of_missing
from backend.ties import Dependencies, dependencies_of
from store.database import Database
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from tests import captured
from tests.backend.parts import NO_REDIS, CheapEncoders, running
from tests.databases import open_folder, shut


def test_why_the_models_cannot_be_loaded_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings, nothing = Settings(home=tmp_path, redis_url=NO_REDIS), lambda _: None

    def encoders(_: object) -> CheapEncoders:
        raise ValueError("no such weights: set TAGLOOM_IMAGE_ENCODER")

    app = create_app(settings, Dependencies(encoders, dependencies_of(settings).cold_start, nothing, nothing, nothing))
    with caplog.at_level(logging.WARNING), TestClient(app, client=("127.0.0.1", 1)) as client:
        for _ in range(4):
            assert client.post("/setup", json=captured.body("02")).json() == {}
        answers = client.post("/predict", json=captured.body("04")).json()["results"]
    assert [answer["result"] for answer in answers] == [[], []]
    assert caplog.text.count("no such weights") == 1


def test_a_database_that_cannot_be_written_is_told_before_the_server_starts(tmp_path: Path) -> None:
    with open_folder() as folder:
        settings = Settings(home=folder)
        Store.open(settings.paths.database).close()
        with shut(folder), pytest.raises(UserError, match=r"can(no|')t be (opened|written)"):
            require_startable(settings)
    require_startable(Settings(home=tmp_path))


def test_a_locked_database_and_a_missing_lexicon_differ(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.running.PATIENCE_S", 0.1)
    settings = Settings(home=tmp_path)
    database = Database(settings.paths.database)
    with database.write(), caplog.at_level(logging.WARNING):
        require_startable(settings)
    database.close()
    assert "the database takes nothing for now" in caplog.text
    (tmp_path / "lexicon.toml").write_text("nonsense")
    with pytest.raises(UserError, match=r"lexicon\.toml"):
        require_startable(Settings(home=tmp_path, lexicon=tmp_path / "lexicon.toml"))


def test_what_is_missing_at_the_start_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, valkey: str
) -> None:
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    with caplog.at_level(logging.WARNING):
        warn_of_missing(Settings(home=tmp_path, redis_url=NO_REDIS))
        assert "no Label Studio is configured: set LABEL_STUDIO_URL" in caplog.text
        assert "no Redis or Valkey answers" in caplog.text
        caplog.clear()
        warn_of_missing(Settings(home=tmp_path, redis_url=valkey, label_studio_url="http://127.0.0.1:1"))
    assert caplog.text == ""


def test_backends_that_start_ask_for_one_comparison_with_label_studio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare() -> None:
        store.projects.begin_reconcile(captured.PROJECT)
        lease = store.leases.acquire("test", "test", ttl=60)
        assert lease
        store.projects.finish_reconcile(captured.PROJECT, lease)

    monkeypatch.setattr("store.projects.RECONCILE_PAUSE_S", 0.0)
    store = Store.open(Settings(home=tmp_path).paths.database)
    store.projects.ensure(captured.PROJECT, "<View/>")
    compare()
    assert store.projects.waiting_for_reconcile(0.0) == []
    with running(tmp_path), running(tmp_path):
        assert store.projects.waiting_for_reconcile(0.0) == [captured.PROJECT]
        compare()
        assert store.projects.waiting_for_reconcile(0.0) == []
    store.close()

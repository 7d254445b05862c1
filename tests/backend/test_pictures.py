"""Pictures that a setting keeps from being read: /status and one line of the log say which setting."""

import time
from pathlib import Path
from typing import Any

import pytest

from store.processes import WORKER
from tests import captured
from tests.backend.parts import Backend, running
from tests.backend.questions import TAGS, question
from tests.labelstudio.studio import Studio
from worker.encoders import settled
from worker.shared_settings import shared

SETUP = {**captured.body("02"), "schema": TAGS}


def ask(backend: Backend, *addresses: str) -> None:
    body = question(len(addresses))
    for task, address in zip(body["tasks"], addresses, strict=True):
        task["data"]["image"] = address
    assert backend.client.post("/predict", json=body).status_code == 200
    backend.settle()


def test_status_names_hosts_folders_and_counts(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.setup(SETUP)
    shop = "https://img.shop.test/{}.jpg"
    for _ in range(2):
        ask(backend, shop.format(1), shop.format(2), "https://cdn.shop.test/3.jpg", "file:///srv/shop/4.jpg")
    (project,) = backend.client.get("/status").json()["projects"]
    first, *others = project["pictures"]
    assert first.startswith("2 tasks without picture: ")
    assert "img.shop.test" in first
    assert "TAGLOOM_IMAGE_HOSTS" in first
    assert all(line.startswith("1 task without picture: ") for line in others)
    assert any("cdn.shop.test" in line for line in others)
    assert any("'/srv/shop'" in line and "TAGLOOM_IMAGE_ROOTS" in line for line in others)
    assert project["unread_gold"] == 0
    told = [record.getMessage() for record in caplog.records if "pictures cannot be read" in record.getMessage()]
    assert len(told) == 3, "one line a host or folder"


def test_setup_tells_what_is_known_once_and_waits_for_nothing(
    tmp_path: Path, studio: Studio, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"label_studio_url": studio.url, "label_studio_token": studio.token}
    with running(tmp_path, **settings) as backend:
        backend.setup(SETUP)
        ask(backend, "https://img.shop.test/1.jpg")
    with running(tmp_path, **settings) as backend:
        backend.service.engine.result(20)
        reasons = backend.store.pictures.reasons

        def slowly(key: str) -> dict[str, int]:
            time.sleep(2.0)
            return reasons(key)

        monkeypatch.setattr(backend.store.pictures, "reasons", slowly)
        caplog.clear()
        began = time.monotonic()
        for _ in range(3):
            backend.setup(SETUP)
        assert time.monotonic() - began < 2.0
        backend.settle()
    lines = [record.getMessage() for record in caplog.records if "1 task without picture" in record.getMessage()]
    assert len(lines) == 1
    assert "TAGLOOM_IMAGE_HOSTS" in lines[0]


def test_status_names_settings_that_differ_and_no_values(backend: Backend, tmp_path: Path) -> None:
    assert backend.client.get("/status").json()["settings"] == []
    theirs = backend.settings.changed(image_roots=(tmp_path,))
    backend.store.processes.note("4711", WORKER, shared(settled(theirs, backend.store.encoders)))
    (line,) = backend.client.get("/status").json()["settings"]
    assert line.startswith("TAGLOOM_IMAGE_ROOTS differs between the backend and worker 4711: ")
    assert str(tmp_path) not in line


def test_addresses_that_lead_nowhere_make_one_line(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.setup(SETUP)
    ask(backend, "1.jpg", "2.jpg", "https://shop..test/1.jpg?sig=geheim", "https://shop..test/2.jpg")
    (project,) = backend.client.get("/status").json()["projects"]
    assert [line.partition(":")[0] for line in project["pictures"]] == ["2 tasks without picture"] * 2
    assert "geheim" not in str(project) + caplog.text


def test_status_compares_with_the_lexicon_that_the_backend_has_read(tmp_path: Path, studio: Studio) -> None:
    words = tmp_path / "words.toml"
    words.write_text('[kinds.logo]\naliases = ["brand"]\n')
    with running(tmp_path, label_studio_url=studio.url, lexicon=words) as backend:
        backend.store.processes.note("4711", WORKER, shared(settled(backend.settings, backend.store.encoders)))
        assert backend.client.get("/status").json()["settings"] == []
        words.write_text('[kinds.logo]\naliases = ["maker"]\n')
        assert backend.client.get("/status").json()["settings"] == []
        backend.store.processes.note("4711", WORKER, shared(settled(backend.settings, backend.store.encoders)))
        (line,) = backend.client.get("/status").json()["settings"]
        assert line.startswith("TAGLOOM_LEXICON differs")

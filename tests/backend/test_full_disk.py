"""A disk without room: answers need no write; what cannot be kept is computed, told once and counted."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from labelstudio.claims import Claims
from tests import captured
from tests.backend.parts import running
from tests.backend.questions import TAGS, question
from tests.labelstudio.studio import Studio

SETUP = {**captured.body("02"), "schema": TAGS}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root, and not in every container")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
    return filler


def test_warm_and_cold_tasks_are_answered_and_told_once(
    disk: Path, studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    with running(disk / "home", label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        version = backend.setup(SETUP)
        assert backend.client.post("/predict", json=question(1)).status_code == 200
        backend.settle()
        fill(disk)
        for _ in range(2):
            answer = backend.client.post("/predict", json=question(4))
            assert answer.status_code == 200
            assert [entry["model_version"] for entry in answer.json()["results"]] == [version] * 4
            assert all(entry["result"] for entry in answer.json()["results"])
        assert caplog.text.count("features cannot be kept") == 1
        # The second time the answers themselves are remembered.
        assert 'tagloom_unkept_total{what="features"} 3.0' in backend.client.get("/metrics").text


def test_a_new_project_is_answered_from_memory_and_kept_when_there_is_room(
    disk: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.engine.RETRY_SECONDS", 0.0)
    with running(disk / "home", label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        backend.service.engine.result(20)
        filler = fill(disk)
        version = backend.setup(SETUP)
        answers = backend.client.post("/predict", json=question(2)).json()["results"]
        assert [answer["model_version"] for answer in answers] == [version] * 2
        filler.unlink()
        assert backend.setup(SETUP) == version
        current = backend.store.versions.current(captured.PROJECT)
        assert current is not None
        assert current.version == version


def test_what_cannot_be_stored_is_not_said_to_be_stored(disk: Path) -> None:
    with running(disk / "home") as backend:
        backend.setup(SETUP)
        backend.settle()
        fill(disk)
        start = captured.body("17")
        assert backend.client.post("/webhook", json=start).status_code == 503


def test_a_claim_that_cannot_be_signed_holds_nobody_up(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    claims = Claims(disk / "claims")
    (disk / "claims").mkdir()
    fill(disk)
    assert all(claims.take("a") for _ in range(3))
    assert list((disk / "claims").iterdir()) == []
    assert caplog.text.count("cannot be claimed") == 1


def test_a_backend_that_starts_on_a_full_disk_answers(disk: Path, studio: Studio) -> None:
    site: dict[str, Any] = {"label_studio_url": studio.url, "label_studio_token": studio.token}
    with running(disk / "home", **site) as backend:
        version = backend.setup(SETUP)
        backend.settle()
    fill(disk)
    with running(disk / "home", **site) as backend:
        assert backend.setup(SETUP) == version
        answers = backend.client.post("/predict", json=question(2)).json()["results"]
        assert [answer["model_version"] for answer in answers] == [version] * 2

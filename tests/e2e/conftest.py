"""A ``tagloom up`` with a project of its own for each module: who labelled last changes what comes next."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagloom.datasets.dataset import Sample, load
from tools.services.child import program
from tools.services.ports import free_port
from tools.up.account import Account
from tools.up.project import TITLE, LabelStudio

TASKS = 60
START_SECONDS = 400


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", default="", help="folder to put screenshots into (default: the temporary folder)")


@dataclass(frozen=True)
class Running:
    """A running ``tagloom up``: its folder, the two addresses, Label Studio's API and the sample project."""

    home: Path
    url: str
    backend_url: str
    account: Account
    api: LabelStudio
    project: int
    samples: dict[str, Sample]
    screenshots: Path

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks with their predictions and annotations."""
        query = f"/api/tasks?project={self.project}&fields=all&page_size=1000"
        return list(self.api.call("GET", query)["tasks"])

    def sample_of(self, task: dict[str, Any]) -> Sample:
        """The sample behind a task, by its picture's name (stored as 8 hex digits, a dash, the name)."""
        return self.samples[Path(task["data"]["image"]).name.partition("-")[2]]

    def labels(self) -> tuple[str, ...]:
        """The labels of the sample project."""
        return tuple(sorted({label for sample in self.samples.values() for label in sample.labels}))

    def status(self) -> list[dict[str, Any]]:
        """What the backend's /status says of each project."""
        return list(httpx.get(f"{self.backend_url}/status", timeout=10).json()["projects"])

    def served_version(self) -> str:
        """The version that the backend told Label Studio in the /setup this call makes."""
        (backend,) = self.api.call("GET", f"/api/ml/?project={self.project}")
        assert backend["state"] == "CO", backend
        return str(backend["model_version"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("up")
    port, backend_port = free_port(), free_port()
    environment = {
        **os.environ,
        "TAGLOOM_HOME": str(home),
        "TAGLOOM_PORT": str(backend_port),
        "TAGLOOM_PROMOTION_SECONDS": "0",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(home),
        # As strict as Label Studio can be with what a backend answers.
        "fflag_feat_utc_210_prediction_validation_15082025": "true",
    }
    command = [program("tagloom"), "up", "--label-studio-port", str(port), "--tasks", str(TASKS)]
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_up(process, log)
            started = _running(home, port, backend_port, request)
            yield started
            started.api.close()
        finally:
            process.terminate()  # not SIGINT: a test run in the background passes on that it is ignored
            process.wait(90)
    assert process.returncode == 128 + signal.SIGTERM, log.read_text()


def _wait_until_up(process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while "Ctrl-C stops everything" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.5)


def _running(home: Path, port: int, backend_port: int, request: pytest.FixtureRequest) -> Running:
    account = Account(**json.loads((home / "label-studio-account.json").read_text()))
    url = f"http://127.0.0.1:{port}"
    api = LabelStudio(url, account.token)
    (project,) = [one for one in api.call("GET", "/api/projects/")["results"] if one["title"] == TITLE]
    folder = request.config.getoption("--screenshots") or home / "screenshots"
    return Running(
        home=home,
        url=url,
        backend_url=f"http://127.0.0.1:{backend_port}",
        account=account,
        api=api,
        project=project["id"],
        samples={sample.image.name: sample for sample in load(Path("samples/data")).samples},
        screenshots=Path(folder),
    )

"""Nothing of Tagloom calls out but to what is configured.

A recorder notes what each process looks up and connects to from Python (a library of machine code could pass it by),
and a proxy of the test's own notes who asks it for the way out.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tagloom.datasets.dataset import load
from tagloom_base.settings import Settings
from testing.label_studio.payloads import choices_region, controls_of
from testing.label_studio.simulator import SimulatedLabelStudio, Upload
from tests.captured import CONFIG
from tools.services.ports import free_port
from tools.services.stack import Stack

ROOT = Path(__file__).parents[2]
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
HERE = ("127.0.0.1", "'localhost'", "('',", "/")  # loopback, an address to listen on, or a Unix socket


class Recorder:
    """``environment`` makes a child write into it; ``outside`` is what left the machine."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "calls"
        self._asked: list[str] = []
        recorder = self

        class Proxy(BaseHTTPRequestHandler):
            def __getattr__(self, name: str) -> object:
                if not name.startswith("do_"):
                    raise AttributeError(name)
                return self._refuse

            def _refuse(self) -> None:
                recorder._asked.append(f"{self.command} {self.path}")
                self.send_error(403)

            def log_message(self, *_: object) -> None:
                """Nothing to say."""

        self._proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self._thread = threading.Thread(target=self._proxy.serve_forever, daemon=True)
        home = folder / "nobody"  # whose OpenVINO has never been asked for its consent
        home.mkdir()
        proxy = f"http://127.0.0.1:{self._proxy.server_address[1]}"
        # All names in both cases, as libraries differ.
        self.environment = {name: proxy for lower in PROXIES for name in (lower, lower.upper())} | {
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
            "HOME": str(home),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "recorder"), str(ROOT)]),
            "TAGLOOMTEST_CALLS": str(self._file),
        }

    def __enter__(self) -> "Recorder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.shutdown()
        self._proxy.server_close()
        self._thread.join()

    def calls(self) -> list[tuple[str, str]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [(event, target) for event, target in map(json.loads, lines)]

    def outside(self) -> list[str]:
        beyond = [f"{event} {target}" for event, target in self.calls() if not any(part in target for part in HERE)]
        return [*beyond, *self._asked]


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder(tmp_path) as made:
        yield made


def run(recorder: Recorder, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | recorder.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


CALLS = """
import os, socket, urllib.request
if not os.fork():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
    os._exit(0)
try:
    urllib.request.urlopen("http://example.invalid/x")
except OSError:
    pass
"""


def test_the_recorder_sees_a_call_its_childrens_too(recorder: Recorder) -> None:
    run(recorder, CALLS)
    assert any("192.0.2.1" in call for call in recorder.outside())
    assert "GET http://example.invalid/x" in recorder.outside()


EVERYTHING = """
import importlib, pkgutil, time
left_out = {"backend.label_studio_ml", "store.migrations"}  # of an extra, or of Alembic
for package in ("backend", "labelstudio", "model", "samples", "sources", "store", "tagloom", "worker"):
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not any(found.name.startswith(name) for name in left_out):
            importlib.import_module(found.name)
from model.encoders.auto import best
from model.features.extraction import FeatureExtractor
from model.items import Item
from tagloom.datasets.dataset import load
picture = next(iter(load("samples/data"))).open()
extractor = FeatureExtractor.from_names(best("image"), best("text"), reader_threads=1)
(features,) = extractor.extract([Item(picture, "title", ())])
assert features.blocks, "nothing was read"
time.sleep(2)  # what a child of OpenVINO's would need
"""


@pytest.mark.slow
def test_encoders_and_reader_ask_nobody(recorder: Recorder) -> None:
    run(recorder, EVERYTHING)
    assert recorder.outside() == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_backend_and_worker_ask_only_what_is_configured(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    samples = load("samples/data").samples[:12]
    settings = Settings(home=tmp_path / "home", port=free_port(), settle_seconds=0.0)
    with SimulatedLabelStudio(CONFIG, f"http://127.0.0.1:{settings.access.port}") as studio:
        access = {
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": studio.token,
            "TAGLOOM_PROMOTION_SECONDS": "0",
            "TAGLOOM_TRAINING_THREADS": "1",
        }
        with Stack(settings, recorder.environment | access) as stack:
            stack.start_queue()
            stack.start_worker()
            stack.start_backend()
            until(studio.setup, "v0.")
            ids = studio.import_tasks([Upload(sample.image, {"title": sample.title}) for sample in samples])
            assert all(answer["result"] is not None for answer in studio.predict(ids[:2]))
            choices, _ = controls_of(CONFIG)
            for number, sample in zip(ids, samples, strict=True):
                studio.annotate(number, [choices_region(choices, list(sample.labels))])
            log = stack.logs / "worker.log"
            until(lambda: log.read_text(), "train default/", "Job OK")
    assert any(studio.url.rpartition(":")[2] in target for _, target in recorder.calls()), "the recorder is at work"
    assert recorder.outside() == []


def until(say: object, *words: str, seconds: float = 120) -> None:
    assert callable(say)
    end = time.monotonic() + seconds
    while not all(word in str(say()) for word in words):
        assert time.monotonic() < end, f"no {words} in time"
        time.sleep(0.5)

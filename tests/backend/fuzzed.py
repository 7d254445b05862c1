"""A real `tagloom serve` for the fuzz tests, and its neighbour: another project, asked for one warm task all the time.

Started as a program, this is the neighbour: it asks until its input is closed and prints the seconds of each answer.
"""

import base64
import contextlib
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from store.store import Store
from tagloom_base.settings import Settings
from tests.labelstudio import zoo
from tools.services.child import Child
from tools.services.ports import free_port
from tools.services.stack import healthy

NO_REDIS = "redis://127.0.0.1:1/0"  # nothing listens there
# `tagloom serve`, but it waits longer for the database than a user would: a busy machine's disk is slow.
PROGRAM = (
    "from backend import running, service; from tagloom.cli import main; "
    "running.PATIENCE_S = service.JOURNAL_SECONDS = 20.0; main()"
)
NEIGHBOUR = "20.1"
PAUSE_S = 0.1  # between two requests of the neighbour
PICTURE = f"data:image/png;base64,{base64.b64encode(zoo.saved(zoo.two_halves(), 'PNG')).decode()}"
CONFIG = (
    '<View><Image name="i" value="$image"/><Text name="t" value="$title"/>'
    '<Choices name="c" toName="i"><Choice value="赠品"/><Choice value="价格"/></Choices></View>'
)


@dataclass
class Fuzzed:
    """A backend in a process of its own, and what was measured of it: bytes that it held, seconds that answers took."""

    client: httpx.Client
    store: Store
    process: psutil.Process
    largest: int = 0
    quiet: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)

    def answered(self) -> Counter[str]:
        """How many requests were answered with which status."""
        counts: Counter[str] = Counter()
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith("tagloom_requests_total{"):
                name, value = line.rsplit(" ", 1)
                counts[name.partition('status="')[2].partition('"')[0]] += int(float(value))
        return counts

    def watch(self, over: threading.Event) -> None:
        """Note how much memory the process holds at most."""
        while not over.wait(0.1):
            with contextlib.suppress(psutil.NoSuchProcess):
                self.largest = max(self.largest, self.process.memory_info().rss)


@contextmanager
def fuzzed(home: Path, quiet: int, **settings: str) -> Iterator[Fuzzed]:
    """The backend until the block ends.

    The neighbour asks ``quiet`` times before anything else is sent. ``settings`` are further environment variables.
    """
    port = free_port()
    environment = {"TAGLOOM_HOME": str(home), "TAGLOOM_PORT": str(port), "REDIS_URL": NO_REDIS, **settings}
    command = [sys.executable, "-c", PROGRAM, "serve"]
    backend = Child("backend", command, log=home / "backend.log", environment=environment)
    url = f"http://127.0.0.1:{port}"
    backend.start()
    over = threading.Event()
    try:
        backend.wait_until(lambda: _ready(url), seconds=120)
        assert backend.pid
        with (
            closing(Store.open(Settings(home=home).paths.database)) as store,
            httpx.Client(base_url=url, timeout=120) as client,
        ):
            made = Fuzzed(client, store, psutil.Process(backend.pid))
            watching = threading.Thread(target=made.watch, args=(over,))
            watching.start()
            made.quiet = _asked(url, quiet)
            with _neighbour(url) as neighbour:
                yield made
                backend.check()
            made.beside = [float(line) for line in neighbour]
            over.set()
            watching.join()
    finally:
        over.set()
        backend.stop()


def p99(seconds: list[float]) -> float:
    """The time that one of a hundred answers takes longer than."""
    return statistics.quantiles(seconds, n=100)[98]


def _ready(url: str) -> bool:
    return healthy(url) and bool(httpx.get(f"{url}/health").json()["ready"])


@contextmanager
def _neighbour(url: str) -> Iterator[list[str]]:
    """Another process that asks; the list holds what it has printed once the block has ended."""
    lines: list[str] = []
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.backend.fuzzed", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield lines
    finally:
        printed, _ = process.communicate()
        lines += printed.split()
    assert process.returncode == 0, "the neighbour was answered badly: see above"


def _asked(url: str, count: int | None = None) -> list[float]:
    """Seconds of each answer to the neighbour's question, asked so many times or until the input is closed."""
    task = {"id": 1, "data": {"image": PICTURE, "title": "买一送一"}}
    body: dict[str, Any] = {"tasks": [task], "project": NEIGHBOUR, "label_config": CONFIG}
    seconds: list[float] = []
    with httpx.Client(base_url=url, timeout=120) as client:
        client.post("/predict", json=body).raise_for_status()  # from now on it is warm
        closed = threading.Event()
        if count is None:
            threading.Thread(target=_wait_for_the_end, args=(closed,), daemon=True).start()
        while not closed.wait(PAUSE_S) and (count is None or len(seconds) < count):
            began = time.perf_counter()
            answer = client.post("/predict", json=body)
            seconds.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text
            assert answer.json()["results"][0]["result"], "the neighbour's task is answered"
    return seconds


def _wait_for_the_end(closed: threading.Event) -> None:
    sys.stdin.read()
    closed.set()


if __name__ == "__main__":
    for took in _asked(sys.argv[1]):
        print(took)

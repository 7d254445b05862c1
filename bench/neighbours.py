"""Measure how one project's requests slow down another project, which is called the neighbour.

    python -m bench.neighbours --seconds 20

The backend runs in a separate process with the real encoders. The neighbour requests one task with a known picture at
a time, and one with a new picture at a time. Other projects send requests without pause: several at once for new
pictures, or for pictures of a Label Studio that accepts the connection and never answers. Prints a Markdown table.
"""

import itertools
import os
import platform
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx

from bench.serving import FOLDER, SERVERS, project_of, serving
from tagloom.datasets import dataset
from tagloom_base.settings import Settings

PAUSE_S = 0.05  # between two requests of the neighbour
NEIGHBOUR, OTHER = "1.1700000000", "2.1700000001"
NEW = itertools.count(1_000)  # ids of tasks that nobody has seen


class Asker:
    """Asks one backend for tasks of one labelling config."""

    def __init__(self, url: str, xml: str, tasks: Sequence[dict[str, Any]]) -> None:
        self._url = url
        self._xml = xml
        self._tasks = tasks

    def ask(self, project: str, tasks: Sequence[dict[str, Any]]) -> float:
        """Seconds until the answer."""
        body = {"tasks": list(tasks), "project": project, "label_config": self._xml, "params": {}}
        began = time.perf_counter()
        httpx.post(f"{self._url}/predict", json=body, timeout=120).raise_for_status()
        return time.perf_counter() - began

    def new(self, count: int, image: str | None = None) -> list[dict[str, Any]]:
        """Tasks that were never read: known pictures under other titles, or the address of an ``image``."""
        numbers = [next(NEW) for _ in range(count)]
        return [
            {
                "id": number,
                "data": {
                    "image": image or self._tasks[number % len(self._tasks)]["data"]["image"],
                    "title": f"new {number}",
                },
            }
            for number in numbers
        ]

    @contextmanager
    def asking(self, requests: int, tasks: int, image: str | None = None) -> Iterator[None]:
        """So many requests at once of another project, again and again until the block ends."""
        over = threading.Event()

        def run() -> None:
            while not over.is_set():
                self.ask(OTHER, self.new(tasks, image))

        threads = [threading.Thread(target=run) for _ in range(requests)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def neighbour(self, seconds: float) -> tuple[list[float], list[float]]:
        """Seconds of warm answers, and of new ones, asked for at the same time."""
        end = time.monotonic() + seconds
        new: list[float] = []

        def ask_new() -> None:
            while time.monotonic() < end:
                new.append(self.ask(NEIGHBOUR, self.new(1)))
                time.sleep(1)

        beside = threading.Thread(target=ask_new)
        beside.start()
        warm = []
        while time.monotonic() < end:
            warm.append(self.ask(NEIGHBOUR, self._tasks[:1]))
            time.sleep(PAUSE_S)
        beside.join()
        return warm, new


@contextmanager
def hanging() -> Iterator[str]:
    """URL of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@click.command(help=__doc__)
@click.option("--seconds", default=20.0, show_default=True, help="Of each part.")
def main(seconds: float) -> None:
    items = list(dataset.load(FOLDER).samples)[:60]
    xml, tasks = project_of(items)
    click.echo(
        f"{seconds:g} s a part; {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{datetime.now(UTC):%d %B %Y}\n\n"
        "| beside | warm p50 s | warm p99 s | p99 to quiet | new p50 s | new, longest s |\n"
        "|---|---:|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory() as folder, hanging() as away:
        settings = Settings(home=Path(folder), redis_url="redis://127.0.0.1:1/0", label_studio_url=away)
        os.environ |= {"LABEL_STUDIO_URL": away, "TAGLOOM_PREDICT_BUDGET": "20"}
        with serving(SERVERS["tagloom"], settings) as running:
            asker = Asker(running.url, xml, tasks)
            for project in (NEIGHBOUR, OTHER):
                asker.ask(project, tasks[:1])
            parts: dict[str, AbstractContextManager[None]] = {
                "nothing": nullcontext(),
                "one request for new pictures": asker.asking(1, 8),
                "eight requests for new pictures": asker.asking(8, 8),
                "16 requests for pictures that never come": asker.asking(16, 8, "/data/upload/1/never.png"),
            }
            quiet = 0.0
            for name, part in parts.items():
                with part:
                    warm, new = asker.neighbour(seconds)
                last = statistics.quantiles(warm, n=100)[98]
                quiet = quiet or last
                click.echo(
                    f"| {name} | {statistics.median(warm):.3f} | {last:.3f} | {last / quiet:.1f} | "
                    f"{statistics.median(new):.2f} | {max(new):.2f} |"
                )


if __name__ == "__main__":
    main()

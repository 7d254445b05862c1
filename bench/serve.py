"""How fast /predict is: steady, and while versions are swapped; beside label-studio-ml 1.0.9 with the same model.

    python bench/serve.py --seconds 10 --clients 4

Both servers run in processes of their own on the same home, one after the other, on pictures whose features are cached
(as the worker leaves them). Every request asks for one task.
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx

from labelstudio.config import LabelConfig
from model import checkpoint
from model.tagger import Tagger
from samples import dataset
from store.store import Store
from store.versions import Current, NewVersion
from tagloom.settings import Settings

FOLDER = Path(__file__).parents[1] / "samples" / "data"
PROJECT = "1.1700000000"
KEY = f"default/{PROJECT}"
XML = (
    '<View><Image name="image" value="$image"/><Text name="title" value="$title"/>'
    '<Choices name="tags" toName="image" choice="multiple">{labels}</Choices>'
    '<RectangleLabels name="boxes" toName="image">{boxes}</RectangleLabels></View>'
)
SERVERS = {
    "tagloom": "from backend.serve import run; from tagloom.settings import Settings; run(Settings())",
    "label-studio-ml 1.0.9": (
        "import os; from werkzeug.serving import run_simple; from backend.label_studio_ml import server; "
        "from tagloom.settings import Settings; "
        "run_simple('127.0.0.1', int(os.environ['TAGLOOM_PORT']), server(Settings()), threaded=True)"
    ),
}


@dataclass(frozen=True)
class Figures:
    """Of one run: requests a second, latencies in ms, failures, and how many versions were seen in answers."""

    rate: float
    p50: float
    p99: float
    failed: int
    versions: int


class Load:
    """Several clients that ask without pause."""

    def __init__(self, url: str, tasks: list[dict[str, Any]], xml: str, clients: int) -> None:
        self._url = url
        self._tasks = tasks
        self._xml = xml
        self._clients = clients

    def run(self, seconds: float) -> Figures:
        end = time.monotonic() + seconds
        seen: list[tuple[float, str | None]] = []
        threads = [threading.Thread(target=self._ask, args=(end, seen, seed)) for seed in range(self._clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times = sorted(taken for taken, _ in seen)
        versions = {version for _, version in seen if version}
        failed = sum(version is None for _, version in seen)
        return Figures(len(seen) / seconds, _at(times, 0.5), _at(times, 0.99), failed, len(versions))

    def _ask(self, end: float, seen: list[tuple[float, str | None]], seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while time.monotonic() < end:
                body = {
                    "tasks": [chance.choice(self._tasks)],
                    "project": PROJECT,
                    "label_config": self._xml,
                    "params": {},
                }
                began = time.perf_counter()
                answer = client.post("/predict", json=body)
                taken = (time.perf_counter() - began) * 1000
                whole = answer.status_code == 200 and len(answer.json()["results"]) == 1
                seen.append((taken, answer.json()["results"][0]["model_version"] if whole else None))


def _at(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)] if times else float("nan")


@contextmanager
def serving(code: str, settings: Settings) -> Iterator[str]:
    """A server process on a free port; its log goes to the home folder."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {
        "TAGLOOM_HOME": str(settings.home),
        "TAGLOOM_PORT": str(port),
        "TAGLOOM_IMAGE_ROOTS": str(FOLDER),
    }
    with (settings.home / "serve.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise click.ClickException("the server ended; see serve.log in the home folder")
        try:
            httpx.get(f"{url}/health", timeout=1)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise click.ClickException("the server did not start within a minute")


@contextmanager
def swapping(settings: Settings, every: float) -> Iterator[None]:
    """Publish a new version every so many seconds."""
    stop = threading.Event()

    def run() -> None:
        store = Store.open(settings.database)
        seed = 0
        while not stop.wait(every):
            seed += 1
            _publish(settings, store, seed)
        store.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _publish(settings: Settings, store: Store, seed: int) -> Current:
    """The served tagger again, under a new number: what is measured is the swap, not the training."""
    current = store.versions.current(KEY)
    assert current is not None, "the project is set up"
    number = store.versions.reserve(KEY)
    served: Tagger = checkpoint.load(settings.checkpoints_folder / current.folder)
    version = f"{checkpoint.version_name(number, served)}"
    folder = f"{KEY}/{version}"
    checkpoint.save(served.named(version), settings.checkpoints_folder / folder, version=version, phase="bench")
    new = NewVersion(number, version, current.version, folder, "bench", served.space, served.labels, {}, 0, 0, 0)
    return store.versions.install(KEY, new, generation=current.generation)


def project_of(count: int) -> tuple[str, list[dict[str, Any]]]:
    """Labelling config and tasks of the first sample pictures."""
    items = list(dataset.load(FOLDER).samples)[:count]
    labels = sorted({label for item in items for label in item.labels})
    xml = XML.format(
        labels="".join(f'<Choice value="{label}"/>' for label in labels),
        boxes="".join(f'<Label value="{label}"/>' for label in labels),
    )
    LabelConfig.parse(xml)
    tasks = [
        {"id": number, "data": {"image": item.image.resolve().as_uri(), "title": item.title}}
        for number, item in enumerate(items, 1)
    ]
    return xml, tasks


def measure(name: str, settings: Settings, pictures: int, seconds: float, clients: int, every: float) -> None:
    """Run one server through both parts and print its two lines."""
    xml, tasks = project_of(pictures)
    with serving(SERVERS[name], settings) as url:
        setup = {"project": PROJECT, "schema": xml, "hostname": "", "access_token": ""}
        httpx.post(f"{url}/setup", json=setup, timeout=60)
        warm = {"tasks": tasks, "project": PROJECT, "label_config": xml, "params": {}}
        httpx.post(f"{url}/predict", json=warm, timeout=600).raise_for_status()
        load = Load(url, tasks, xml, clients)
        load.run(min(2.0, seconds))
        _print(name, "steady", load.run(seconds))
        with swapping(settings, every):
            _print(name, f"swap every {every:g} s", load.run(seconds))


def _print(name: str, part: str, figures: Figures) -> None:
    numbers = f"{figures.rate:8.1f} {figures.p50:8.1f} {figures.p99:8.1f} {figures.failed:7} {figures.versions:9}"
    click.echo(f"{name:24} {part:18} {numbers}")


@click.command(help=__doc__)
@click.option("--pictures", default=24, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="Of each part.")
@click.option("--clients", default=4, show_default=True)
@click.option("--every", default=1.0, show_default=True, help="Seconds between swaps.")
def main(pictures: int, seconds: float, clients: int, every: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        heads = ("server", "part", "req/s", "p50 ms", "p99 ms", "failed", "versions")
        click.echo("{:24} {:18} {:>8} {:>8} {:>8} {:>7} {:>9}".format(*heads))
        for name in SERVERS:
            measure(name, settings, pictures, seconds, clients, every)


if __name__ == "__main__":
    main()

"""Measure the speed of /predict, steady, during swaps and during training, and compare with label-studio-ml 1.0.9.

    python -m bench.serve --seconds 30 --clients 4

Both servers have the same model. They run in separate processes on the same home, one after the other, on pictures
whose features the worker has cached. Every request is for one task. A stock RQ worker in a separate process trains
another project of the same home without pause, so that all swaps of the measured project are those of the benchmark.
Prints a Markdown table.
"""

import os
import platform
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx

from labelstudio.changes import annotation_state, tasks_of
from labelstudio.config import LabelConfig
from model import checkpoint
from model.tagger import Tagger
from store.leases import lease_name
from store.store import Store
from store.versions import Current, NewVersion
from tagloom.datasets import dataset
from tagloom.datasets.dataset import Sample
from tagloom_base.settings import Settings
from tools.services.stack import Stack
from worker import queue

FOLDER = Path(__file__).parents[1] / "samples" / "data"
PROJECT = "1.1700000000"
KEY = f"default/{PROJECT}"
TRAINED_KEY = "default/2.1700000001"  # the project that is trained beside
WARM_TASKS = 16  # pictures of one warming request
TRAINING_SECONDS = 300  # until one must have begun, or ended
XML = (
    '<View><Image name="image" value="$image"/><Text name="title" value="$title"/>'
    '<Choices name="tags" toName="image" choice="multiple">{labels}</Choices>'
    '<RectangleLabels name="boxes" toName="image">{boxes}</RectangleLabels></View>'
)
SERVERS = {
    "tagloom": "from backend.serve import run; from tagloom_base.settings import Settings; run(Settings())",
    "label-studio-ml 1.0.9": (
        "import os; from werkzeug.serving import run_simple; from backend.label_studio_ml import server; "
        "from tagloom_base.settings import Settings; "
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
    environment = (
        os.environ | surroundings(settings) | {"TAGLOOM_PORT": str(port), "REDIS_URL": settings.work.redis_url}
    )
    with (settings.paths.home / "serve.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def surroundings(settings: Settings) -> dict[str, str]:
    """What server and worker have in common."""
    return {
        "TAGLOOM_HOME": str(settings.paths.home),
        "TAGLOOM_IMAGE_ROOTS": str(FOLDER),
        "TAGLOOM_SETTLE_SECONDS": "0",
        "TAGLOOM_PROMOTION_SECONDS": "0",
        "TAGLOOM_RECONCILE_MINUTES": "0",
    }


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
        store = Store.open(settings.paths.database)
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
    served: Tagger = checkpoint.load(settings.paths.checkpoints / current.folder)
    version = f"{checkpoint.version_name(number, served)}"
    folder = f"{KEY}/{version}"
    checkpoint.save(
        served.named(version),
        settings.paths.checkpoints / folder,
        version=version,
        about=checkpoint.About(phase="bench"),
    )
    new = NewVersion(number, version, current.version, folder, "bench", served.space, served.labels, {}, 0, 0, 0)
    return store.versions.install(KEY, new, generation=current.generation)


@contextmanager
def training(settings: Settings) -> Iterator[None]:
    """The worker trains the other project again and again; begins once it does, ends when it is done."""
    store = Store.open(settings.paths.database)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            if not store.leases.held(lease_name("train", TRAINED_KEY)):
                store.projects.request_training(TRAINED_KEY)
                queue.wake_training(settings, TRAINED_KEY)
            stop.wait(0.5)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        _until(lambda: store.leases.held(lease_name("train", TRAINED_KEY)), "no training began; see logs/worker.log")
        yield
    finally:
        stop.set()
        thread.join()
        _until(lambda: not store.leases.held(lease_name("train", TRAINED_KEY)), "the training does not end")
        store.close()


def _until(condition: Callable[[], bool], problem: str) -> None:
    end = time.monotonic() + TRAINING_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise click.ClickException(problem)
        time.sleep(0.1)


def annotate(settings: Settings, items: Sequence[Sample], xml: str, tasks: Sequence[dict[str, Any]]) -> None:
    """Gold for every task of the project that is trained."""
    store = Store.open(settings.paths.database)
    store.projects.ensure(TRAINED_KEY, xml)
    store.tasks.upsert(TRAINED_KEY, tasks_of(tasks))
    entries = [
        {
            "id": task["id"],
            "task": task["id"],
            "result": [
                {
                    "id": "t",
                    "from_name": "tags",
                    "to_name": "image",
                    "type": "choices",
                    "value": {"choices": list(labels)},
                }
            ],
        }
        for task, labels in zip(tasks, (item.labels for item in items), strict=True)
    ]
    store.annotations.apply(TRAINED_KEY, [annotation_state(entry) for entry in entries])
    store.close()


def project_of(items: Sequence[Sample]) -> tuple[str, list[dict[str, Any]]]:
    """Labelling config and tasks of sample pictures."""
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


def measure(name: str, settings: Settings, items: Sequence[Sample], seconds: float, clients: int, every: float) -> None:
    """Run one server through all parts and print a line of each."""
    xml, tasks = project_of(items)
    with serving(SERVERS[name], settings) as url:
        setup = {"project": PROJECT, "schema": xml, "hostname": "", "access_token": ""}
        httpx.post(f"{url}/setup", json=setup, timeout=60).raise_for_status()
        for start in range(0, len(tasks), WARM_TASKS):  # until every picture is read
            warm = {"tasks": tasks[start : start + WARM_TASKS], "project": PROJECT, "label_config": xml, "params": {}}
            httpx.post(f"{url}/predict", json=warm, timeout=600).raise_for_status()
        annotate(settings, items, xml, tasks)
        load = Load(url, tasks, xml, clients)
        load.run(min(2.0, seconds))
        swaps = f"swap every {every:g} s"
        for beside, together in (("", nullcontext()), ("worker trains", training(settings))):
            with together:
                steady = load.run(seconds)
                _print(name, beside or "steady", steady, steady)
                with swapping(settings, every):
                    _print(name, f"{beside}, {swaps}" if beside else swaps, load.run(seconds), steady)


def _print(name: str, part: str, figures: Figures, steady: Figures) -> None:
    cells = (
        name, part, f"{figures.rate:.1f}", f"{figures.p50:.1f}", f"{figures.p99:.1f}",
        f"{figures.p99 / steady.p99:.2f}", str(figures.failed), str(figures.versions),
    )  # fmt: skip
    click.echo(f"| {' | '.join(cells)} |")


@click.command(help=__doc__)
@click.option("--pictures", default=60, show_default=True)
@click.option("--seconds", default=30.0, show_default=True, help="Of each part.")
@click.option("--clients", default=4, show_default=True)
@click.option("--every", default=1.0, show_default=True, help="Seconds between swaps.")
def main(pictures: int, seconds: float, clients: int, every: float) -> None:
    items = list(dataset.load(FOLDER).samples)[:pictures]
    with tempfile.TemporaryDirectory() as folder:
        own = Settings(home=Path(folder))
        with Stack(own, surroundings(own)) as stack:
            stack.start_queue()
            stack.start_worker()
            settings = Settings(home=own.paths.home, redis_url=stack.environment["REDIS_URL"])
            click.echo(
                f"{pictures} pictures, {clients} clients, {seconds:g} s a part; {os.cpu_count()} cores, "
                f"Python {platform.python_version()}, {datetime.now(UTC):%d %B %Y}\n"
            )
            heads = ("server", "part", "req/s", "p50 ms", "p99 ms", "p99 to without swaps", "failed", "versions seen")
            click.echo(f"| {' | '.join(heads)} |\n|{'---|' * 2}{'---:|' * 6}")
            for name in SERVERS:
                measure(name, settings, items, seconds, clients, every)


if __name__ == "__main__":
    main()

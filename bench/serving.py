"""What measurements of servers have in common: a project of sample pictures, servers, swaps, and trainings beside."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from tagloom.datasets.dataset import Sample
from tagloom_base.settings import Settings
from worker import queue

FOLDER = Path(__file__).parents[1] / "samples" / "data"
PROJECT = "1.1700000000"
KEY = f"default/{PROJECT}"
TRAINED_KEY = "default/2.1700000001"  # the project that is trained beside
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
class Running:
    """A server that answers, and its process."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def serving(code: str, settings: Settings) -> Iterator[Running]:
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
        yield Running(url, process)
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
        # Not those that happen to be on this machine.
        "TAGLOOM_IMAGE_ENCODER": "shipped",
        "TAGLOOM_TEXT_ENCODER": "shipped",
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
def swapping(settings: Settings, every: float, times: int) -> Iterator[None]:
    """Publish a new version every so many seconds, so many times at most.

    They are written before: while they are published, nothing else takes time of the processors.
    """
    store = Store.open(settings.paths.database)
    written = [_written(settings, store) for _ in range(times)]
    stop = threading.Event()

    def run() -> None:
        for version in written:
            if stop.wait(every):
                return
            current = _current(store)
            store.versions.install(KEY, replace(version, parent=current.version), generation=current.generation)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        store.close()


def _written(settings: Settings, store: Store) -> NewVersion:
    """The served tagger again, under a new number: what is measured is the swap, not the training."""
    number = store.versions.reserve(KEY)
    served: Tagger = checkpoint.load(settings.paths.checkpoints / _current(store).folder)
    version = checkpoint.version_name(number, served)
    folder = f"{KEY}/{version}"
    checkpoint.save(
        served.named(version),
        settings.paths.checkpoints / folder,
        version=version,
        about=checkpoint.About(phase="bench"),
    )
    return NewVersion(number, version, "", folder, "bench", served.space, served.labels, {}, 0, 0, 0)


def _current(store: Store) -> Current:
    current = store.versions.current(KEY)
    assert current is not None, "the project is set up"
    return current


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

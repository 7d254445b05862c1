"""How fast /predict answers over HTTP, beside label-studio-ml 1.0.9 in front of the same model.

    python -m bench.speed.requests [--short]

Both servers run on one home with a trained version of the sample pictures, whose features are there; every request is
for one task. They are asked in turn: for tasks that nobody asked for before, for such tasks whose answer a worker has
kept in the store, for tasks that were asked for, by many clients at once, while versions are swapped in, and while a
stock RQ worker trains another project. A task that nobody asked for has the features of a sample picture under another
title. One light client process asks over connections that it keeps (`bench.speed.client`); the table tells its share of
all cores, and the milliseconds that a server computed for each request.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import click
import httpx
import psutil
import torch

from bench.serving import FOLDER, KEY, PROJECT, SERVERS, annotate, project_of, serving, surroundings, swapping, training
from bench.speed.client import Seen
from bench.speed.machine import described
from bench.speed.turns import median
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model import checkpoint
from model.boxes.described import RECENT
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.items import Prediction
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from store.answers import Answer
from store.store import Store
from store.versions import NewVersion
from tagloom.datasets import dataset
from tagloom.evaluation.corpus import corpus_of
from tagloom_base.settings import Settings
from tools.services.stack import Stack

CLIENTS, MANY = 4, 50
EVERY_S = 2.0
"""Seconds between two swaps."""
SWAPS = 3
"""Swaps that each turn sees."""
SETTLING_S = 2.0
"""Seconds that the last swap may take."""
COLD = 100
"""Requests that a server is asked right after its start."""
FASTEST = 1_500
"""Requests a second that no server reaches: so many new tasks are made for each second."""
PARTS = (
    "first time",
    "kept by a worker",
    "again",
    f"again, {MANY} clients",
    "first time, swaps",
    "again, swaps",
    "first time, a worker trains",
    "again, a worker trains",
)
MIB = 2**20


@dataclass(frozen=True)
class Size:
    """How long it all takes: pictures, seconds of one turn of one part, turns, and requests for the memory."""

    pictures: int
    seconds: float
    turns: int
    requests: int


LONG, SHORT = Size(60, 10.0, 3, 100_000), Size(24, 1.5, 2, 5_000)


class Tasks:
    """Tasks of the sample pictures, and as many as wanted that nobody has asked for, whose features are there."""

    def __init__(self, settings: Settings, prepared: "Prepared") -> None:
        self._settings = settings
        self._prepared = prepared
        self._config = LabelConfig.parse(prepared.xml)
        self._folder = settings.paths.features / prepared.space
        self._known = prepared.tasks
        self._numbers = count(1_000_000)

    def known(self) -> list[dict[str, Any]]:
        return [self._body(task) for task in self._known]

    def new(self, many: int) -> list[dict[str, Any]]:
        """Each has the features of a sample picture, and a title of its own, so that it is another item."""
        bodies = []
        for number in islice(self._numbers, many):
            like = self._known[number % len(self._known)]
            task = {**like, "id": number, "data": {**like["data"], "title": f"{like['data']['title']} {number}"}}
            file = self.file(task)
            file.parent.mkdir(exist_ok=True)
            file.hardlink_to(self.file(like))
            bodies.append(self._body(task))
        return bodies

    def kept(self, many: int) -> list[dict[str, Any]]:
        """New ones, whose answers a worker has kept in the store."""
        bodies = self.new(many)
        store = Store.open(self._settings.paths.database)
        current, lease = store.versions.current(KEY), store.leases.acquire("predict:bench", "bench", 600)
        assert current is not None
        assert lease is not None
        answers = []
        for (task,) in (body["tasks"] for body in bodies):
            said, size = self._prepared.answers[task["id"] % len(self._known)]
            boxes = tuple(
                (one.label, one.box.left, one.box.top, one.box.right, one.box.bottom, one.score) for one in said.boxes
            )
            answers.append(
                Answer(
                    task["id"],
                    current.version,
                    self.file(task).stem,
                    said.score,
                    said.labels,
                    said.probabilities,
                    boxes,
                    task["id"],
                    changed=False,
                    size=size,
                )
            )
        store.answers.put(KEY, answers, lease)
        store.leases.release(lease)
        store.close()
        return bodies

    def file(self, task: Mapping[str, Any]) -> Path:
        """Return the file of a task's features."""
        key = item_key("default", reference_of(self._config, task, ProjectKey.of_request(PROJECT)))
        return self._folder / key[:2] / f"{key}.safetensors"

    def _body(self, task: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": [task], "project": PROJECT, "label_config": self._prepared.xml, "params": {"context": None}}


@dataclass
class Server:
    """A server that runs, and what it was seen to do in each part."""

    name: str
    url: str
    process: psutil.Process
    # What was seen in each part, and the milliseconds that the server computed for each request.
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    computed: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, part: str, bodies: Iterable[dict[str, Any]], clients: int, seconds: float = 60.0) -> Seen:
        """Let a client ask, in a process of its own; one whose ``part`` asks again begins anew after the last task."""
        load = {
            "port": int(self.url.rpartition(":")[2]),
            "bodies": list(bodies),
            "connections": clients,
            "seconds": seconds,
            "again": part.startswith("again"),
        }
        before = sum(self.process.cpu_times()[:2])
        done = subprocess.run(
            [sys.executable, "-m", "bench.speed.client"], input=json.dumps(load), stdout=subprocess.PIPE, text=True,
            check=True,
        )  # fmt: skip
        seen = Seen(**json.loads(done.stdout))
        computed = sum(self.process.cpu_times()[:2]) - before
        self.computed.setdefault(part, []).append(1000 * computed / max(len(seen.milliseconds), 1))
        self.seen.setdefault(part, []).append(seen)
        return seen

    @property
    def memory(self) -> float:
        """MiB that the process holds."""
        return float(self.process.memory_info().rss) / MIB


@dataclass(frozen=True)
class Prepared:
    """Labelling config, tasks, space of the features, and what the version says of each task and its picture's size."""

    xml: str
    tasks: Sequence[dict[str, Any]]
    space: str
    answers: Sequence[tuple[Prediction, tuple[int, int]]]


def prepare(settings: Settings, pictures: int) -> Prepared:
    """Read the pictures, and train a version that serves."""
    samples = dataset.load(FOLDER)
    samples = replace(samples, samples=samples.samples[:pictures])
    extractor = FeatureExtractor.from_names("shipped", "shipped")
    xml, tasks = project_of(samples.samples)
    config = LabelConfig.parse(xml)
    with RECENT.kept_in(settings.paths.descriptions):
        corpus = corpus_of(samples, extractor, settings.paths.home / "corpus")
        gold = corpus.gold_of(range(len(corpus.features)))
        cold = Tagger.cold_start(config.labels, space=extractor.space, seed=7)
        tagger = fit(cold, Problem(corpus.features, gold, corpus.families), TrainConfig())
        said = tagger.predict(corpus.features)
    cache = FeatureCache(settings.paths.features, extractor.space)
    for task, features in zip(tasks, corpus.features, strict=True):
        cache.put(item_key("default", reference_of(config, task, ProjectKey.of_request(PROJECT))), features)
    store = Store.open(settings.paths.database)
    store.projects.ensure(KEY, xml)
    number = store.versions.reserve(KEY)
    version = checkpoint.version_name(number, tagger)
    folder = f"{KEY}/{version}"
    checkpoint.save(tagger, settings.paths.checkpoints / folder, version=version, about=checkpoint.About(phase="bench"))
    new = NewVersion(number, version, "", folder, "bench", tagger.space, tagger.labels, {}, 0, 0, 0)
    store.versions.install(KEY, new, generation=0)
    store.close()
    annotate(settings, samples.samples, xml, tasks)
    sizes = [features.size for features in corpus.features]
    return Prepared(xml, tasks, extractor.space, list(zip(said, sizes, strict=True)))


@contextmanager
def started(name: str, settings: Settings, tasks: Tasks) -> Iterator[tuple[Server, dict[str, float]]]:
    """Start a server; it comes with the seconds until its first answer, and the milliseconds of the next ones."""
    began = time.monotonic()
    with serving(SERVERS[name], settings) as running:
        server = Server(name, running.url, psutil.Process(running.process.pid))
        while not httpx.get(f"{running.url}/health", timeout=60).json().get("ready", True):
            time.sleep(0.05)
        first = server.ask("the first", tasks.new(1), 1)
        ready = time.monotonic() - began
        cold = server.ask("cold", tasks.new(COLD), 1, 20)
        for _ in range(2):
            server.ask("warm", tasks.known(), 1)
        yield (
            server,
            {
                "seconds until the first answer": ready,
                "ms of the first answer": first.milliseconds[0],
                "p50 ms": at(cold.milliseconds, 0.5),
                "p99 ms": at(cold.milliseconds, 0.99),
                "longest ms": max(cold.milliseconds),
            },
        )


def at(times: Sequence[float], share: float) -> float:
    """Return the time below which this share of the times lies."""
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def measure(servers: Sequence[Server], settings: Settings, tasks: Tasks, size: Size) -> None:
    """Ask the servers in turn, part by part."""

    def turn(part: str, made: Callable[[int], list[dict[str, Any]]], clients: int = CLIENTS) -> None:
        click.echo(part, err=True)
        seconds = max(size.seconds, SWAPS * EVERY_S) if part.endswith("swaps") else size.seconds
        for server in servers:
            # What other parts asked for in the meantime, and versions that came then, are not what is measured.
            if part.startswith("again"):
                server.ask("warm", tasks.known(), 1)
            bodies = made(int(seconds * FASTEST))
            if part.endswith("swaps"):
                with swapping(settings, EVERY_S, SWAPS), alone(server, servers):
                    server.ask(part, bodies, clients, seconds)
                time.sleep(SETTLING_S)
            else:
                server.ask(part, bodies, clients, seconds)

    def known(_: int) -> list[dict[str, Any]]:
        return tasks.known()

    for _ in range(size.turns):
        turn("first time", tasks.new)
        turn("kept by a worker", tasks.kept)
        turn("again", known)
        turn(f"again, {MANY} clients", known, MANY)
        turn("first time, swaps", tasks.new)
        turn("again, swaps", known)
        with training(settings):
            turn("first time, a worker trains", tasks.new)
            turn("again, a worker trains", known)


@contextmanager
def alone(server: Server, servers: Sequence[Server]) -> Iterator[None]:
    """Let the other servers stand still, which would load the same version at the same moment."""
    others = [other.process for other in servers if other is not server]
    for process in others:
        process.suspend()
    try:
        yield
    finally:
        for process in others:
            process.resume()


def memory(server: Server, tasks: Tasks, requests: int) -> list[float]:
    """Return the MiB that a server holds before, and after each tenth of so many requests; a fiftieth are new tasks."""
    held = [server.memory]
    for _ in range(10):
        known, part = tasks.known(), requests // 10
        bodies = [*tasks.new(part // 50), *(known[number % len(known)] for number in range(part - part // 50))]
        server.ask("memory", bodies, CLIENTS, 3_600)
        held.append(server.memory)
    return held


def rows(server: Server) -> dict[str, dict[str, float]]:
    """Return a server's figures of each part: medians of the turns; failures are added up."""
    figures: dict[str, dict[str, float]] = {}
    for part in PARTS:
        turns = server.seen[part]
        steady = server.seen[part.partition(",")[0]]
        rates = [len(seen.milliseconds) / seen.seconds for seen in turns]
        p99s = [at(seen.milliseconds, 0.99) for seen in turns]
        figures[part] = {
            "req/s": median(rates),
            "slowest": min(rates),
            "fastest": max(rates),
            "p50 ms": median([at(seen.milliseconds, 0.5) for seen in turns]),
            "p99 ms": median(p99s),
            "longest ms": max(max(seen.milliseconds, default=float("nan")) for seen in turns),
            "p99 to steady": median(p99s) / median([at(seen.milliseconds, 0.99) for seen in steady]),
            "failed": sum(seen.failed for seen in turns),
            "versions": max(len(seen.versions) for seen in turns),
            "server's ms": median(server.computed[part]),
            "client %": 100 * median([seen.busy / seen.seconds for seen in turns]) / (os.cpu_count() or 1),
        }
    return figures


@click.command(help=__doc__)
@click.option("--short", is_flag=True)
def main(short: bool) -> None:
    size = SHORT if short else LONG
    machine = described()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        own = Settings(home=Path(folder))
        stack = running.enter_context(Stack(own, surroundings(own)))
        stack.start_queue()
        stack.start_worker()
        settings = Settings(home=own.paths.home, redis_url=stack.environment["REDIS_URL"])
        click.echo("pictures are read, and a version is trained", err=True)
        tasks = Tasks(settings, prepare(settings, size.pictures))
        click.echo("servers start", err=True)
        starts, servers = {}, []
        for name in SERVERS:
            server, starts[name] = running.enter_context(started(name, settings, tasks))
            servers.append(server)
        measure(servers, settings, tasks, size)
        held = memory(servers[0], tasks, size.requests)
    figures = {server.name: rows(server) for server in servers}
    print("\n**Answering requests**\n")
    heads = list(next(iter(figures[servers[0].name].values())))
    print(f"| server | part | {' | '.join(heads)} |\n|---|---|{'---:|' * len(heads)}")
    for part in PARTS:
        for server in servers:
            cells = [f"{value:.4g}" for value in figures[server.name][part].values()]
            print(f"| {server.name} | {part} | {' | '.join(cells)} |")
    heads = list(starts[servers[0].name])
    print(f"\n| cold start | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}")
    for name, start in starts.items():
        print(f"| {name} | {' | '.join(f'{value:.4g}' for value in start.values())} |")
    print(
        f"\nMiB of tagloom before, and after each tenth of {size.requests:,} requests: {[round(one) for one in held]}"
    )
    print(
        "\n"
        + json.dumps(
            {"question": "requests", "parts": figures, "cold start": starts, "MiB": held, "machine": machine},
            ensure_ascii=False,
        ),
        flush=True,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

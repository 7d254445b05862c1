"""Does everything stay fast in a project of many tasks? A whole run; only the features are made up.

    python -m bench.many_tasks --tasks 100000 --cache CACHE [--labels 300] [--more 60]

A real Label Studio, Valkey, backend and one ordinary `rq worker`, in a folder of its own. Tasks are imported through
Label Studio's API with addresses of pictures that do not exist; features of the drawn samples with noise lie in the
home under each task's key, so that the worker finds all of them read. Candidate boxes are those of the sample, as they
would be kept when a picture is read. Labels come through Label Studio's API, and so by its webhooks.

Printed are Markdown tables and one JSON line: how long each stage took; how long every page and request took while
nothing ran, while a training ran and while a reconcile ran; and what memory and disk it took.
"""

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
from pydantic import SecretStr
from redis import Redis

from bench.faults.crew import wait
from bench.many_looks import Looks, Seconds, Visitor
from bench.many_seen import MIB, Memory, Seen, tell
from bench.speed.training import annotated
from bench.training import SAMPLES, noisy
from labelstudio import entry
from labelstudio.api import LabelStudioClient
from labelstudio.config import LabelConfig
from labelstudio.connection import Connection
from labelstudio.entry import Entry
from labelstudio.project import ProjectKey, file_name
from labelstudio.tasks import item_key, reference_of
from model.evaluation.corpus import LabelledCorpus
from model.features.cache import FeatureCache
from model.features.extraction import FeatureExtractor
from model.items import Gold
from store.leases import lease_name
from store.store import Store
from store.versions import State
from tagloom.evaluation.corpus import corpus_of
from tagloom.evaluation.data import read
from tagloom_base.settings import Settings
from tools.project import label_config, task_data
from tools.services.child import program
from tools.services.ports import free_port
from tools.services.stack import Stack
from tools.up.account import Account
from tools.up.project import LabelStudio
from tools.up.server import START_SECONDS, Waiting, label_studio
from worker.search.index import Index

IMPORTED_AT_ONCE = 2_000
FIRST_ASKED = 30
"""Tasks of which /predict is asked."""
LONGEST_S = 3 * 3600.0
"""Seconds that one stage may take."""


@dataclass(frozen=True)
class Shop:
    """Made-up products: each has the features of a drawn sample with noise, and an address of its own."""

    corpus: LabelledCorpus
    gold: Mapping[int, Gold]
    titles: Sequence[tuple[str, str, str]]

    @classmethod
    def of(cls, extractor: FeatureExtractor, cache: Path) -> "Shop":
        """Return the shop of the drawn samples, whose features are kept in ``cache``."""
        samples = read(SAMPLES, None)
        corpus = corpus_of(samples, extractor, cache)
        titles = [(one.title, one.level1, one.level2) for one in samples.samples]
        return cls(corpus, corpus.gold_of(range(len(corpus.features))), titles)

    def data(self, number: int) -> dict[str, str]:
        """Return the data of a task."""
        title, level1, level2 = self.titles[number % len(self.titles)]
        image = f"https://pictures.example/{number}.webp"
        return {"image": image, "product": f"p{number}", **task_data(title, level1, level2)}

    def gold_of(self, number: int) -> Gold:
        """Return the gold of a task."""
        return self.gold[number % len(self.titles)]

    def keep(self, cache: FeatureCache, xml: str, numbers: Sequence[int]) -> None:
        """Put the features of tasks into a home's cache."""
        config, random = LabelConfig.parse(xml), torch.Generator().manual_seed(1)
        for number in numbers:
            like = self.corpus.features[number % len(self.titles)]
            # Candidate boxes go by the grid. Those of a real picture are kept when it is read, so they cost no answer.
            item = replace(noisy(like, random), grid_RC=like.grid_RC)
            cache.put(item_key("default", reference_of(config, {"data": self.data(number)})), item)


class Run:
    """One run: the project in Label Studio, and what is asked of both sides."""

    def __init__(self, stack: Stack, api: LabelStudio, shop: Shop, seen: Seen) -> None:
        self.stack, self.api, self.shop, self.seen = stack, api, shop, seen
        self.settings = stack.settings
        self.memory = Memory(stack, seen)
        self.xml = label_config(shop.corpus.labels)
        project = api.call("POST", "/api/projects/", json={"title": "Many tasks", "label_config": self.xml})
        self.key = ProjectKey.of_webhook(project)
        self.ids: list[int] = []
        self.store = Store.open(self.settings.paths.database)

    def stage(self, name: str) -> Any:
        """Measure the block as a stage, its memory too."""
        self.memory.stage = name
        return self.seen.stage(name)

    def fill(self, tasks: int) -> None:
        """Import tasks."""
        for start in range(0, tasks, IMPORTED_AT_ONCE):
            part = [{"data": self.shop.data(n)} for n in range(start, min(start + IMPORTED_AT_ONCE, tasks))]
            path = f"/api/projects/{self.key.id}/import?return_task_ids=true"
            self.ids += self.api.call("POST", path, json=part)["task_ids"]

    def connect(self) -> None:
        """Make Tagloom the project's ML backend."""
        token = SecretStr(self.settings.studios.label_studio_token.get_secret_value())
        connection = Connection(url=self.api.url, token=token)
        with closing(LabelStudioClient(connection, timeout=120)) as client:
            entry.ensure(client, self.key.id, Entry(self.stack.backend_url))

    def label(self, places: Sequence[int]) -> Seconds:
        """Label the tasks at these places; return how long Label Studio took, webhook included."""
        seconds = Seconds()
        for place in places:
            body = annotated(self.ids[place], self.shop.gold_of(place))
            began = time.perf_counter()
            self.api.call("POST", f"/api/tasks/{self.ids[place]}/annotations/", json={"result": body["result"]})
            seconds.all.append(time.perf_counter() - began)
        return seconds

    def task(self, place: int) -> dict[str, Any]:
        return {"id": self.ids[place], "data": self.shop.data(place)}

    def until(self, condition: Callable[[], bool], what: str, seconds: float = LONGEST_S) -> None:
        """Wait until it is true, while all services run. Raises TimeoutError after so many seconds."""

        def is_so() -> bool:
            self.stack.check()
            return condition()

        wait(is_so, seconds, what, every=0.5)

    def keep(self, seconds: float) -> None:
        """Wait until answers of all tasks are kept, for so many seconds at most; note how many there are then."""
        with suppress(TimeoutError):
            self.until(self.has_answered, "answers of all tasks are kept", seconds)
        kept = sum(1 for _ in self.store.answers.of_version(str(self.key), self.served()))
        self.seen.sizes[f"kept answers of {self.served()}"] = kept

    def is_compared(self) -> bool:
        project = self.store.projects.get(str(self.key))
        return project is not None and project.reconciled_at > 0

    def findable(self) -> int:
        return Index(self.settings.paths.search / file_name(str(self.key))).state().rows

    def is_trained(self) -> bool:
        """Whether a training has used all gold, and its version serves or was refused."""
        project, (newest, *_) = self.store.projects.get(str(self.key)), self.store.versions.list(str(self.key))
        return project is not None and not project.has_new_gold and newest.state in (State.CURRENT, State.REFUSED)

    def is_at(self, kind: str) -> bool:
        """Whether a job of this kind runs."""
        return self.store.leases.held(lease_name(kind, self.key))

    def served(self) -> str:
        current = self.store.versions.current(str(self.key))
        return current.version if current else ""

    def has_answered(self) -> bool:
        """Whether answers of the served version are kept of all tasks."""
        return str(self.key) not in self.store.answers.due()

    def visitor(self) -> Visitor:
        token = self.settings.studios.label_studio_token.get_secret_value()
        uid = str(self.key).partition("/")[2]
        return Visitor(self.stack.backend_url, token, uid, self.xml, self.shop.corpus.labels)

    def commands(self, *lines: str) -> Looks:
        """Time commands, each in a process of its own."""
        environment, found = {**os.environ, **self.stack.environment}, Looks()
        for line in lines:
            name, words = f"tagloom {line}", line.split()
            began = time.perf_counter()
            done = subprocess.run([program("tagloom"), *words], env=environment, capture_output=True, text=True)
            found[name] = Seconds([time.perf_counter() - began])
            if done.returncode:
                raise RuntimeError(f"{name} failed: {done.stdout}{done.stderr}")
        return found

    def measure(self) -> None:
        """Note the sizes on disk and in Redis, the rows of the database, and the seconds of jobs."""
        paths, sizes = self.settings.paths, self.seen.sizes
        for name in ("features", "descriptions", "search", "checkpoints", "look_alikes", "neighbours"):
            sizes[f"{name} MiB"] = round(_size(getattr(paths, name)) / MIB, 1)
        database = Path(str(paths.database).removeprefix("sqlite:///"))
        sizes["database MiB"] = round(sum(file.stat().st_size for file in database.parent.glob("tagloom.db*")) / MIB, 1)
        with closing(Redis.from_url(self.stack.environment["REDIS_URL"])) as redis:
            told: Any = redis.info("memory")
            sizes["Redis MiB"] = round(told["used_memory_peak"] / MIB, 1)
            sizes["Redis keys"] = int(redis.dbsize())
        with closing(sqlite3.connect(database)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            counts = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
        sizes["rows"] = {name: count for name, count in sorted(counts.items()) if count > 100}
        for amount, value in sorted(self.store.measures.all().items()):
            if amount.name == "tagloom_job_stage_seconds_total" and value > 1:
                self.seen.jobs[": ".join(amount.labels)] = round(value, 1)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def play(run: Run, tasks: int, labels: int, more: int, keeping: float) -> None:
    """Go through the life of a project, and measure each part of it."""
    seen, middle = run.seen, tasks // 2
    with run.stage("import into Label Studio"):
        run.fill(tasks)
    run.connect()
    with run.stage("reconcile"):
        run.until(run.is_compared, "all tasks are compared")
    with run.stage("encode job and search index"):
        run.until(lambda: run.findable() >= tasks, "all tasks can be found")
    visitor = run.visitor()
    with run.stage("labels"):
        seen.looks["label in Label Studio"] = {"submit": run.label(range(0, tasks, tasks // labels)[:labels])}
    with run.stage("first version"):
        run.until(run.is_trained, "the first version")
        run.until(lambda: visitor.version() == run.served(), "it is loaded")
    last = range(tasks - FIRST_ASKED, tasks)
    seen.looks["answers while answers are kept"] = {
        "/predict, first time": visitor.predict([run.task(place) for place in last]),
        "/predict, known": visitor.predict([run.task(place) for place in last]),
        "/setup": visitor.setup(FIRST_ASKED),
    }
    with run.stage("kept answers"):
        run.keep(keeping)
    some = [run.task(place) for place in range(FIRST_ASKED, 2 * FIRST_ASKED)]
    when = "nothing runs" if run.has_answered() else "answers are kept"
    with run.stage(f"looks while {when}"):
        seen.looks[when] = visitor.look(run.ids[77], run.ids[middle])
        seen.looks[when] |= {
            "/predict, kept": visitor.predict(some),
            "/predict, known": visitor.predict(some),
        }
        seen.looks["commands"] = run.commands(
            "--help", "status", "versions", f"similar {run.key} --task {run.ids[middle]}",
            f"export {run.key} --only gold --out {run.stack.home}/gold.json",
        )  # fmt: skip
    began = visitor.counted("webhook")
    fresh = range(1, tasks, tasks // more)[:more]
    seen.looks["more labels in Label Studio"] = {"submit": run.label(fresh)}
    with run.stage("second version"):
        run.until(lambda: run.is_at("train"), "a training begins")
        seen.looks["a training runs"] = visitor.look(run.ids[78], run.ids[middle])
        run.until(run.is_trained, "the second version")
    ended = visitor.counted("webhook")
    seen.stages["a webhook, by the backend's clock"] = (ended[1] - began[1]) / max(ended[0] - began[0], 1)
    run.store.projects.request_reconcile(str(run.key), urgent=True)
    with run.stage("looks while a reconcile runs, and answers are kept"):
        run.until(lambda: run.is_at("reconcile"), "a reconcile begins")
        seen.looks["a reconcile runs"] = visitor.look(run.ids[79], run.ids[middle])
    with run.stage("kept answers of the second version, and a second reconcile"):
        run.keep(keeping)
        run.until(lambda: not run.is_at("reconcile"), "the reconcile ends")
    seen.looks["whole export"] = run.commands(f"export {run.key} --format csv --out {run.stack.home}/all.csv")
    visitor.close()


@click.command()
@click.option("--tasks", default=5_000, show_default=True)
@click.option("--labels", default=300, show_default=True, help="Labels before the first version.")
@click.option("--more", default=60, show_default=True, help="Labels before the second version.")
@click.option("--cache", type=click.Path(path_type=Path), required=True, help="Folder for the samples' features.")
@click.option("--folder", type=click.Path(path_type=Path), help="Folder of the run, which stays.")
@click.option("--keeping", default=LONGEST_S, help="Seconds after which to go on while answers are still kept.")
def main(tasks: int, labels: int, more: int, cache: Path, folder: Path | None, keeping: float) -> None:
    """Measure a project of many tasks."""
    seen, port = Seen(), free_port()
    with ExitStack() as stack:
        home = (folder or Path(stack.enter_context(TemporaryDirectory()))).resolve()
        account, url = Account.of(home), f"http://127.0.0.1:{port}"
        os.environ.pop("REDIS_URL", None)
        os.environ |= {
            "TAGLOOM_HOME": str(home), "TAGLOOM_PORT": str(free_port()), "TAGLOOM_IMAGE_ENCODER": "shipped",
            "TAGLOOM_TEXT_ENCODER": "shipped", "TAGLOOM_FAMILY_KEY": "product", "TAGLOOM_DATABASE_URL": "",
            "LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": account.token,
        }  # fmt: skip
        extractor = FeatureExtractor.from_names("shipped", "shipped")
        shop = Shop.of(extractor, cache)
        services = stack.enter_context(Stack(Settings(), command="bench.many_tasks"))
        server = services.start(label_studio(home, port, account))
        services.start_queue()
        services.start_backend()
        server.wait_until(Waiting(url, click.echo), seconds=START_SECONDS)
        api = stack.enter_context(closing(LabelStudio(url, account.token)))
        run = Run(services, api, shop, seen)
        stack.callback(run.store.close)
        with seen.stage("features made up"):
            shop.keep(FeatureCache(services.settings.paths.features, extractor.space), run.xml, range(tasks))
        services.start_worker()
        run.memory.start()
        stack.callback(run.memory.end)
        try:
            play(run, tasks, labels, more, keeping)
        finally:
            run.measure()
            tell(seen, tasks)


if __name__ == "__main__":
    main()

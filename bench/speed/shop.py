"""A project of many tasks in a home of its own, in which `bench.speed.day` measures, and what it measures by."""

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model import checkpoint
from model.features.item import ItemFeatures
from model.items import Gold
from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.progressive import fit
from store.database import Database
from store.leases import Lease
from store.projects import Project
from store.versions import NewVersion
from tagloom.datasets.dataset import Sample
from tagloom.evaluation.data import gold_picture
from tools.project import task_data
from worker.workplace import Workplace

KEY = ProjectKey("default", 1, 1795288797)
CREATED = datetime.fromtimestamp(KEY.created, UTC).isoformat()
LISTED = 100
"""Tasks of one page of Label Studio's list."""


class Spent:
    """The processor's milliseconds of this process, all its threads together, by what they were spent for."""

    def __init__(self) -> None:
        self.ms: defaultdict[str, float] = defaultdict(float)

    def on(self, what: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        try:
            return work()
        finally:
            self.ms[what] += 1000 * (time.process_time() - began)

    def each(self, count: int) -> None:
        """Divide by so many items, for each of which all of this was spent."""
        self.ms.update({what: ms / count for what, ms in self.ms.items()})

    def timed(self, what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: self.on(what, lambda: work(*given, **named))


class Locks:
    """The milliseconds on the clock that transactions take which write, their commits included."""

    def __init__(self) -> None:
        self.ms = self.longest_ms = 0.0
        self._write = Database.write

    def __enter__(self) -> "Locks":
        @contextmanager
        def write(database: Database, *patience: float) -> Iterator[Any]:
            began = time.perf_counter()
            with self._write(database, *patience) as connection:
                yield connection
            took = 1000 * (time.perf_counter() - began)
            self.ms, self.longest_ms = self.ms + took, max(self.longest_ms, took)

        self._patch = mock.patch.object(Database, "write", write)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


class Listing:
    """Label Studio's list of tasks, as its answers' bytes; stands for the API's client, without HTTP."""

    def __init__(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        self._ids = [task["id"] for task in tasks]
        full = [{**task, "annotations": [], "predictions": [], "created_at": CREATED} for task in tasks]
        self._pages = [json.dumps(full[at : at + LISTED]) for at in range(0, len(full), LISTED)]

    def project(self, _number: int) -> dict[str, Any]:
        return {"id": KEY.id, "created_at": CREATED, "title": "shop"}

    def tasks_after(self, _number: int, after: int) -> tuple[list[dict[str, Any]], bool]:
        page = sum(first <= after for first in self._ids[::LISTED])
        return json.loads(self._pages[page]), page + 1 == len(self._pages)


@dataclass
class Shop:
    """A project in a home of its own: the pictures that are read, and copies of them until it holds enough tasks."""

    workplace: Workplace
    samples: Sequence[Sample]
    labels: tuple[str, ...]
    xml: str
    held: int

    @cached_property
    def config(self) -> LabelConfig:
        return LabelConfig.parse(self.xml)

    @property
    def project(self) -> Project:
        found = self.workplace.store.projects.get(str(KEY))
        assert found
        return found

    def tasks(self, first: int, last: int) -> list[dict[str, Any]]:
        """Return tasks by number; those behind the pictures are copies with titles of their own."""
        made = []
        for number in range(first, last + 1):
            like = self.samples[(number - 1) % len(self.samples)]
            title = like.title if number <= len(self.samples) else f"{like.title} {number}"
            data = {"image": like.image.resolve().as_uri(), **task_data(title, like.level1, like.level2)}
            made.append({"id": number, "data": data, "updated_at": CREATED})
        return made

    def key(self, task: Mapping[str, Any]) -> str:
        return item_key(KEY.connection, reference_of(self.config, task, KEY))

    def file(self, task: Mapping[str, Any]) -> Path:
        key = self.key(task)
        return self.workplace.settings.paths.features / self.workplace.extractor.space / key[:2] / f"{key}.safetensors"

    def lease(self, kind: str) -> Lease:
        found = self.workplace.store.leases.acquire(f"{kind}:{KEY}", "bench", 3_600)
        assert found
        return found

    def database_bytes(self) -> int:
        """Return the bytes of the database's pages that hold something."""
        url = self.workplace.settings.paths.database.removeprefix("sqlite:///")
        connection = sqlite3.connect(url)
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        connection.close()
        return int((pages - free) * size)


def served(shop: Shop, tagger: Tagger) -> None:
    """Let this tagger serve the project, as a new version."""
    store, current = shop.workplace.store, shop.workplace.store.versions.current(str(KEY))
    number = store.versions.reserve(str(KEY))
    version = checkpoint.version_name(number, tagger)
    folder = f"{KEY}/{version}"
    place = shop.workplace.settings.paths.checkpoints / folder
    checkpoint.save(tagger.named(version), place, version=version, about=checkpoint.About(phase="bench"))
    new = NewVersion(number, version, "", folder, "bench", tagger.space, tagger.labels, {}, 0, 0, 0)
    store.versions.install(str(KEY), new, generation=current.generation if current else 0)


def trained(shop: Shop, features: Sequence[ItemFeatures]) -> Tagger:
    """Return a tagger that has learned from the pictures."""
    gold = {
        row: Gold(frozenset(one.labels), gold_picture(one.boxes, shop.labels).boxes if one.boxed else None)
        for row, one in enumerate(shop.samples)
        if one.labelled and not one.for_measuring
    }
    families = [sample.product_id for sample in shop.samples]
    cold = Tagger.cold_start(shop.labels, space=shop.workplace.extractor.space, seed=7)
    return fit(cold, Problem(features, gold, families), TrainConfig())

"""A backend with a person who reviews, over a Label Studio that keeps what is written into it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from backend.pages.review_screens import Proposals
from labelstudio.changes import tasks_of as states_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from model.features.cache import FeatureCache
from store.answers import Answer
from store.batches import Batch
from store.leases import lease_name
from store.store import Store
from store.versions import NewVersion
from testing.features import features
from testing.label_studio.simulator import Upload
from testing.label_studio.writable import WritableLabelStudio
from testing.waiting import until
from tests.backend.pages.office import Browser
from tests.backend.parts import SPACE, Backend, running
from tools.project import label_config

LABELS = ("主体", "价格", "LOGO")
VERSION = "v0.0000"
BOX = ("主体", 0.1, 0.2, 0.6, 0.9, 0.8)


@dataclass
class Table:
    """A project whose answers are kept, its Label Studio, and a person's browser that is signed in."""

    backend: Backend
    studio: WritableLabelStudio
    browser: Browser

    @property
    def store(self) -> Store:
        return self.backend.store

    @property
    def key(self) -> str:
        return str(self.studio.key)

    @property
    def id(self) -> str:
        return self.key.partition("/")[2]

    def screen(self, part: str = "sure") -> httpx.Response:
        """The next screen."""
        return self.browser.get(f"review?id={self.id}&part={part}")

    def accept(self, page: httpx.Response, *exceptions: int, **changed: str) -> httpx.Response:
        """Send the form of a screen, with these tasks taken out."""
        fields = {**fields_of(page), **{f"x{number}": "1" for number in exceptions}, **changed}
        return self.browser.post("review", fields)

    def settle(self) -> Batch:
        """Wait until the newest batch is written, taken back, or has stopped; return it."""
        until(lambda: (batch := self.newest()) and (not batch.is_open or batch.problem))
        return self.newest()

    def settle_of(self, batch: Batch) -> Batch:
        """The same of a certain batch."""

        def found() -> Batch:
            one = self.store.batches.get(self.key, batch.id)
            assert one
            return one

        until(lambda: not found().is_open or found().problem)
        return found()

    def newest(self) -> Batch:
        return self.store.batches.newest(self.key, 1)[0]

    def take_back(self, batch: Batch) -> httpx.Response:
        page = self.browser.get(f"take-back?id={self.id}&batch={batch.id}")
        return self.browser.post("take-back", fields_of(page))

    def held(self) -> dict[int, dict[str, Any]]:
        """What Label Studio holds of each task, without times."""
        return {number: held_of(task) for number, task in self.studio.project.tasks.items()}


def held_of(task: Any) -> dict[str, Any]:
    return {
        "annotations": [(one.id, one.result, one.was_cancelled) for one in task.annotations],
        "predictions": [one.body() for one in task.predictions],
        "drafts": task.drafts,
        "is_labeled": task.is_labeled,
    }


def fields_of(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of the last form of a page."""
    form = page.text.rpartition("<form")[2]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def tasks_of(page: httpx.Response) -> list[int]:
    """The tasks that a screen shows, in order."""
    return [int(number) for number in re.findall(r'id="x(\d+)"', page.text)]


def keep_answers(table: Table, answers: Sequence[Mapping[str, Any]], version: str = VERSION) -> None:
    """Keep answers (``task``, ``labels``; perhaps ``score``, ``look_alike``, ``boxes``) and features of their tasks."""
    cache = FeatureCache(table.backend.settings.paths.features, SPACE)
    rows = []
    for one in answers:
        number, item = one["task"], f"{one['task']:064x}"
        # The features of look-alikes are the same.
        alike = one.get("look_alike", number)
        cache.put(item, features(title=f"商品 {number}", seed=alike, size=(400, 400)))
        likely, boxes = dict.fromkeys(LABELS, 0.99), tuple(one.get("boxes", [BOX]))
        score, labels = one.get("score", 0.97), tuple(one["labels"])
        rows.append(Answer(number, version, item, score, labels, likely, boxes, alike, False, (400, 400)))
    lease = table.store.leases.acquire(lease_name("predict", table.key), "test", 60)
    assert lease
    table.store.answers.put(table.key, rows, lease)


def add_version(store: Store, key: str, number: int = 0, generation: int = 0) -> str:
    """Let a version serve that has no checkpoint; its name."""
    name = f"v{number}.{number:04x}"
    new = NewVersion(number, name, "", f"{key}/{name}", "cold start", SPACE, LABELS, {}, 0, 0, 0)
    store.versions.install(key, new, generation=generation)
    return name


@contextmanager
def table(folder: Path, tasks: int, language: str = "en", **settings: Any) -> Iterator[Table]:
    """So many tasks, without answers yet."""
    picture = folder / "picture.png"
    Image.new("RGB", (8, 8)).save(picture)
    studio = WritableLabelStudio(label_config(LABELS))
    with studio:
        studio.import_tasks([Upload(picture, {"title": f"商品 {number}"}) for number in range(1, tasks + 1)])
        with running(folder / "home", label_studio_url=studio.url, **settings) as backend:
            backend.service.engine.result(20)
            key = str(ProjectKey.parse(str(studio.key)))
            backend.store.projects.ensure(key, studio.project.label_config, "Shop")
            backend.store.tasks.upsert(key, states_of([task.in_predict() for task in studio.project.tasks.values()]))
            add_version(backend.store, key)
            browser = Browser(backend.client, language)
            browser.sign_in(studio.token)
            yield Table(backend, studio, browser)


def result_of_task(table: Table, number: int) -> list[dict[str, Any]]:
    """The regions that the version proposes for a task, as Label Studio stores a prediction."""
    config = LabelConfig.parse(table.studio.project.label_config)
    cache = FeatureCache(table.backend.settings.paths.features, SPACE)
    (shown,) = Proposals(table.store, config, cache, table.key, VERSION).shown([number])
    return [{name: held for name, held in region.items() if name != "origin"} for region in shown.result]

"""A Tagloom that is connected to a simulated Label Studio which keeps what is written into it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import SecretStr

from store.leases import Lease
from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio.simulator import Upload
from testing.label_studio.writable import WritableLabelStudio
from testing.shop import LABELS
from tests.backend.parts import CheapEncoders, cold, publish
from tests.worker import shop
from worker.workplace import Workplace


class Encoders(CheapEncoders):
    """In place of `model.features.extraction.open_extractor` in a workplace."""

    def __init__(self, _encoders: object = None) -> None:
        super().__init__()


@contextmanager
def opened(folder: Path, tasks: int = 40) -> Iterator[WritableLabelStudio]:
    """Label Studio with tasks that are titles over pictures."""
    Image.new("RGB", (8, 8)).save(folder / "picture.png")
    studio = WritableLabelStudio(shop.CONFIG)
    with studio:
        uploads = [
            Upload(folder / "picture.png", {"title": f"商品{number} 买一送一"[: 5 + number % 6]})
            for number in range(tasks)
        ]
        studio.import_tasks(uploads)
        yield studio


def settings_of(folder: Path, studio: WritableLabelStudio, **options: Any) -> Settings:
    """Settings of a Tagloom that is connected to it."""
    return Settings(
        home=folder,
        label_studio_url=studio.url,
        label_studio_token=SecretStr(studio.token),
        training_threads=1,
        **options,
    )


def publish_next(settings: Settings, store: Store, studio: WritableLabelStudio, labels: Sequence[str] = LABELS) -> str:
    """Make a further version CURRENT, which answers like the one before; its name."""
    key = str(studio.key)
    store.projects.ensure(key, studio.project.label_config)
    before = store.versions.current(key)
    number = before.number + 1 if before else 0
    tagger = cold(labels, seed=number)
    return publish(settings, store, key, tagger, number, before.generation if before else 0).version


def lease_of(workplace: Workplace) -> Lease:
    """The lease of a predicting job."""
    lease = workplace.store.leases.acquire("predict:test", "test", 60)
    assert lease is not None
    return lease


def read_pictures(workplace: Workplace, studio: WritableLabelStudio) -> None:
    """Read the pictures of all tasks that the store knows."""
    key = str(studio.key)
    project = workplace.store.projects.get(key)
    assert project
    tasks = [task.payload() for task in workplace.store.tasks.all(key)]
    workplace.encoder.features(studio.key, workplace.config_of(project), tasks)

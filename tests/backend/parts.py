"""A backend in this process: real store, checkpoints, taggers and pictures; encoders that cost nothing."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.service import Service
from backend.ties import Dependencies, dependencies_of
from model import checkpoint
from model.features.item import ItemFeatures
from model.items import Item
from model.tagger import Tagger
from store.store import Store
from store.versions import Current, NewVersion
from tagloom_base.settings import Settings
from testing.features import block, features
from testing.waiting import until

SPACE = "feedfacefeedface"
WIDTH = 4
NO_REDIS = "redis://127.0.0.1:1/0"  # nothing listens there


class CheapEncoders:
    """Features of the right form without networks; the read text of a picture is one block that names its colour."""

    space = SPACE

    def __init__(self) -> None:
        self.extracted = 0
        self.pause = 0.0

    def describe(self) -> dict[str, str]:
        return {"image": "none, for tests", "text": "none, for tests", "reader": "none, for tests"}

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        self.extracted += sum(item.image is not None for item in items)
        if self.pause and any(item.image is not None for item in items):
            time.sleep(self.pause)
        return [features_of(item) for item in items]


def features_of(item: Item) -> ItemFeatures:
    """Features of an item's own texts and size, without embeddings; in each picture the same price is read."""
    seen = item.image is not None
    return features(
        *([block("¥99 立减", left=0.1, top=0.1, width=0.4, height=0.1)] if seen else []),
        title=item.title,
        industry=item.industry,
        texts=item.texts,
        grid_RC=torch.zeros(4, WIDTH) if seen else None,
        size=item.size,
        widths=(WIDTH, WIDTH),
        seed=None,
        knows_industry=True,
    )


@dataclass
class Asked:
    """What the worker was asked for."""

    train: list[str] = field(default_factory=list)
    encode: list[str] = field(default_factory=list)
    reconcile: list[str] = field(default_factory=list)


def publish(
    settings: Settings, store: Store, project: str, tagger: Tagger, number: int, generation: int = 0
) -> Current:
    """Write a version's checkpoint and make it CURRENT."""
    version = checkpoint.version_name(number, tagger)
    folder = f"{project.replace('/', '-')}/{version}"
    if not (settings.paths.checkpoints / folder).exists():
        checkpoint.save(
            tagger, settings.paths.checkpoints / folder, version=version, about=checkpoint.About(phase="test")
        )
    new = NewVersion(number, version, "", folder, "test", tagger.space, tagger.labels, {}, 0, 0, 0)
    return store.versions.install(project, new, generation=generation)


def cold(labels: Sequence[str], seed: int = 1) -> Tagger:
    """A tagger of cues alone."""
    return Tagger.cold_start(labels, space=SPACE, seed=seed)


@dataclass
class Backend:
    """A running application with its parts in reach."""

    app: FastAPI
    client: TestClient
    settings: Settings
    encoders: CheapEncoders
    asked: Asked

    @property
    def service(self) -> Service:
        service: Service = self.app.state.service
        return service

    @property
    def store(self) -> Store:
        return self.service.store

    def setup(self, body: dict[str, Any]) -> str:
        """Ask /setup, once the models are loaded, and return the version."""
        self.service.engine.result(20)
        answer = self.client.post("/setup", json=body)
        assert answer.status_code == 200, answer.text
        version: str = answer.json()["model_version"]
        return version

    def settle(self) -> None:
        """Wait until everything that runs behind the answers is done."""
        until(lambda: not self.service._presence._waiting, seconds=10)
        done = threading.Event()
        self.service._waker.ask("settle", "", done.set)
        assert done.wait(10)


@contextmanager
def running(home: Path, encoders: CheapEncoders | None = None, **settings: Any) -> Iterator[Backend]:
    """The backend on a folder of its own; ``settings`` as in ``Settings``."""
    made = Settings(home=home, **{"redis_url": NO_REDIS, **settings})
    asked = Asked()
    cheap = encoders or CheapEncoders()

    dependencies = Dependencies(
        lambda _: cheap,
        dependencies_of(made).cold_start,
        asked.train.append,
        asked.encode.append,
        asked.reconcile.append,
    )
    app = create_app(made, dependencies)
    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 1)) as client:
        yield Backend(app, client, made, cheap, asked)

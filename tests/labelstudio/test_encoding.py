"""Tasks → features: each picture is read once, however many processes ask for it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labelstudio import images
from labelstudio.claims import Claims
from labelstudio.config import LabelConfig
from labelstudio.decoding import Picture, decode
from labelstudio.encoding import TEXTS, ExtractorGoneError, Failure, TaskEncoder
from labelstudio.project import ProjectKey
from labelstudio.sites import Sites
from labelstudio.tasks import ItemReference, item_key, reference_of
from model.features.cache import FeatureCache
from model.features.item import ItemFeatures
from model.items import Item
from tagloom_base.settings import Settings
from tests import captured
from tests.backend.parts import SPACE, features_of
from tests.labelstudio.studio import Studio
from tests.labelstudio.zoo import saved

KEY = ProjectKey.parse(captured.PROJECT)
CONFIG = LabelConfig.parse(captured.CONFIG)


class Reader:
    """Stands for one process: an encoder of its own on the shared folder, which notes what it reads."""

    def __init__(self, home: Path, studio: Studio, pause: float = 0.0) -> None:
        settings = Settings(home=home, label_studio_url=studio.url, label_studio_token=studio.token)
        self.cache = FeatureCache(settings.paths.features, SPACE)
        self.claims = Claims(settings.paths.claims)
        self._sites = Sites(settings.studios, settings.pictures)
        self.encoder = TaskEncoder(
            lambda *_: self,
            self.cache,
            self._sites,
            self.claims,
            on_notes=lambda project, notes: self.told.append((project, dict(notes))),
        )
        self.read: list[str] = []
        self.batches: list[list[str]] = []
        self.told: list[tuple[str, dict[str, int]]] = []
        self.notes: tuple[str, ...] = ()
        self.begun = threading.Event()
        self.pause = pause

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        self.read += [item.title for item in items]
        self.batches.append([item.title for item in items])
        self.begun.set()
        time.sleep(self.pause)
        return [replace(features_of(item), notes=self.notes if item.title == "t1" else ()) for item in items]

    def ask(self, tasks: Sequence[dict[str, Any]], seconds: float | None = None) -> list[ItemFeatures | Failure]:
        return self.encoder.features(KEY, CONFIG, tasks, None if seconds is None else time.monotonic() + seconds)

    def close(self) -> None:
        self.encoder.close()
        self._sites.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Callable[..., Reader]]:
    with Studio() as studio:
        made: list[Reader] = []

        def make(pause: float = 0.0) -> Reader:
            made.append(Reader(tmp_path, studio, pause))
            return made[-1]

        yield make
        for each in made:
            each.close()


def tasks_of(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "data": {"image": f"/{n}.png", "title": f"t{n}"}} for n in range(1, count + 1)]


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_what_another_is_reading_is_waited_for(reader: Callable[..., Reader]) -> None:
    worker, backend = reader(pause=0.3), reader()
    with beside(lambda: worker.ask(tasks_of(2))):
        assert worker.begun.wait(5)
        answers = backend.ask(tasks_of(2), seconds=10)
    assert all(isinstance(answer, ItemFeatures) for answer in answers)
    assert (worker.read, backend.read) == (["t1", "t2"], [])


def test_two_readers_share_a_large_selection(reader: Callable[..., Reader]) -> None:
    one, two = reader(pause=0.02), reader(pause=0.02)
    with beside(lambda: one.ask(tasks_of(40))):
        assert one.begun.wait(5)
        assert not any(isinstance(answer, Failure) for answer in two.ask(tasks_of(40)))
    assert sorted(one.read + two.read) == sorted(task["data"]["title"] for task in tasks_of(40))
    assert two.read, "the rest is not left to the first one"


def test_nobody_waits_past_the_deadline(reader: Callable[..., Reader]) -> None:
    worker, backend = reader(pause=1.0), reader()
    with beside(lambda: worker.ask(tasks_of(1))):
        assert worker.begun.wait(5)
        began = time.monotonic()
        (answer,) = backend.ask(tasks_of(1), seconds=0.2)
        assert time.monotonic() - began < 0.8
    assert isinstance(answer, Failure)
    assert answer.late


def test_what_another_could_not_have_is_tried_by_us(reader: Callable[..., Reader]) -> None:
    worker, backend = reader(), reader()
    task = tasks_of(1)
    key = item_key(KEY.connection, reference_of(CONFIG, task[0], KEY))
    assert worker.claims.take(key)

    def give_up() -> None:
        time.sleep(0.2)
        worker.claims.release([key])

    with beside(give_up):
        (answer,) = backend.ask(task, seconds=10)
    assert isinstance(answer, ItemFeatures)
    assert backend.read == ["t1"]


def test_no_claim_is_left_behind(reader: Callable[..., Reader], tmp_path: Path) -> None:
    made = reader(pause=0.1)
    made.ask(tasks_of(12), seconds=0.15)

    def broken(_: Sequence[Item]) -> list[ItemFeatures]:
        raise RuntimeError("no")

    made.extract = broken  # type: ignore[method-assign,assignment]
    (answer,) = made.ask([{"id": 99, "data": {"image": "/99.png", "title": "t99"}}])
    assert isinstance(answer, Failure)
    assert list((tmp_path / "claims").iterdir()) == []


def test_a_task_that_the_encoders_fail_on_takes_nothing_from_the_others(
    reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = reader()
    extract = made.extract

    def choosy(items: Sequence[Item]) -> list[ItemFeatures]:
        if any(item.title == "t2" for item in items):
            raise IndexError("no such word")
        return extract(items)

    monkeypatch.setattr(made, "extract", choosy)
    found = made.ask(tasks_of(3))
    assert [isinstance(answer, Failure) for answer in found] == [False, True, False]
    texts = made.encoder.texts_only(KEY, CONFIG, tasks_of(3))
    assert [features is None for features in texts] == [False, True, False]


def test_an_extractor_that_ends_is_no_tasks_failure(
    reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = reader()

    def gone(_: Sequence[Item]) -> list[ItemFeatures]:
        raise ExtractorGoneError("closing")

    monkeypatch.setattr(made, "extract", gone)
    with pytest.raises(ExtractorGoneError):
        made.ask(tasks_of(2))


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), UnicodeError("x")])
def test_whatever_a_picture_sets_off_is_its_tasks_failure(
    reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    made = reader()

    def broken(content: bytes, *more: Any) -> Any:
        if content == b"odd":
            raise error
        return decode(content, *more)

    monkeypatch.setattr(images, "decode", broken)
    odd = {"id": 9, "data": {"image": "data:,odd", "title": "odd"}}
    found = made.ask([*tasks_of(2), odd])
    assert [isinstance(answer, Failure) for answer in found] == [False, False, True]


def test_texts_end_with_the_time(reader: Callable[..., Reader]) -> None:
    made = reader(pause=0.3)
    texts = made.encoder.texts_only(KEY, CONFIG, tasks_of(3 * TEXTS), time.monotonic() + 0.1)
    assert [features is None for features in texts] == [False] * TEXTS + [True] * 2 * TEXTS


def test_a_long_picture_is_read_by_itself(reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch) -> None:
    page = decode(saved(Image.new("RGB", (40, 400)), "PNG"), 1_000_000)

    def fetch(fetcher: images.ImageFetcher, reference: ItemReference) -> Picture:
        return page if reference.image in ("/2.png", "/3.png") else Picture(Image.new("RGB", (40, 40)), (40, 40))

    monkeypatch.setattr(images.ImageFetcher, "fetch", fetch)
    one = reader()
    answers = one.ask(tasks_of(4))
    assert all(isinstance(answer, ItemFeatures) for answer in answers)
    assert sorted(one.batches) == [["t1", "t4"], ["t2"], ["t3"]]


def test_notes_on_pictures_are_handed_on_when_they_are_read(reader: Callable[..., Reader]) -> None:
    one = reader()
    one.notes = ("upside down", "too long")
    one.ask(tasks_of(3))
    one.ask(tasks_of(3))
    assert one.told == [(str(KEY), {"upside down": 1, "too long": 1})]

"""What one project sends keeps no other project waiting."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backend.app import THREADS
from model.features.item import ItemFeatures
from model.items import Item
from tests import captured
from tests.backend.parts import Backend, CheapEncoders, running
from tests.backend.questions import TAGS
from tests.labelstudio.studio import Studio

HANGS_S = 6.0  # a picture that does not come
SOON_S = 2.5
REQUESTS = 3 * THREADS["read"][1]  # at once, of the project whose pictures do not come: more than its share


def question(project: str, *images: str) -> dict[str, Any]:
    tasks = [{"id": number, "data": {"image": image, "title": "赠品"}} for number, image in enumerate(images, 1)]
    return {"tasks": tasks, "project": project, "label_config": TAGS}


def took(backend: Backend, body: dict[str, Any]) -> float:
    began = time.monotonic()
    (result,) = backend.client.post("/predict", json=body).json()["results"]
    assert result["result"]
    return time.monotonic() - began


class Apart:
    """Pictures of the folder "never" come late; the studio's other answers come at once."""

    def __init__(self, studio: Studio) -> None:
        self.is_over = threading.Event()
        studio.hold = self.hold

    def hold(self, path: str) -> None:
        if "/never/" in path:
            self.is_over.wait(HANGS_S)


@contextmanager
def beside(backend: Backend, asked: Callable[[int], dict[str, Any]], count: int) -> Iterator[None]:
    """Other requests on their way, as many as ``count``."""
    with ThreadPoolExecutor(count) as pool:
        sent = [pool.submit(backend.client.post, "/predict", json=asked(number)) for number in range(count)]
        time.sleep(0.3)
        yield
        assert not all(one.done() for one in sent), "they were not on their way any more"
        for one in sent:
            assert one.result().status_code == 200


@pytest.fixture
def backend(tmp_path: Path, studio: Studio) -> Iterator[Backend]:
    with running(
        tmp_path,
        label_studio_url=studio.url,
        label_studio_token=studio.token,
        predict_budget=HANGS_S,
        image_seconds=HANGS_S,
    ) as made:
        yield made


def test_pictures_that_do_not_come_keep_no_other_project_waiting(backend: Backend, studio: Studio) -> None:
    warm = question("2.1", "/data/warm.png")
    for body in (warm, question("1.1", "/data/a.png")):
        took(backend, body)
    apart = Apart(studio)

    def hanging(number: int) -> dict[str, Any]:
        return question("1.1", *(f"/data/never/{number}-{place}.png" for place in range(8)))

    with beside(backend, hanging, REQUESTS):
        assert took(backend, warm) < SOON_S
        assert took(backend, question("1.1", "/data/a.png")) < SOON_S, "a warm task of the same project"
        assert took(backend, question("2.1", "/data/new.png")) < SOON_S
        assert took(backend, question("3.1", "/data/new.png")) < SOON_S, "a new project"
        began = time.monotonic()
        assert backend.client.post("/webhook", json=captured.body("10")).status_code == 200
        assert backend.client.get("/versions").status_code == 200
        assert time.monotonic() - began < SOON_S
        apart.is_over.set()


class Slow(CheapEncoders):
    """Reads one picture in a fifth of a second."""

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        time.sleep(0.2 * sum(item.image is not None for item in items))
        return super().extract(items)


@pytest.mark.slow
def test_a_known_task_never_waits_for_pictures_that_are_read(tmp_path: Path, studio: Studio) -> None:
    with running(tmp_path, Slow(), label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        warm = question("2.1", "/data/warm.png")
        took(backend, warm)

        def new(number: int) -> dict[str, Any]:
            return question("1.1", *(f"/data/new/{number}-{place}.png" for place in range(4)))

        with beside(backend, new, 8):
            times = sorted(took(backend, warm) for _ in range(10))
            assert times[5] < 0.4, "one batch that is read takes twice as long"
            assert took(backend, question("2.1", "/data/other.png")) < 4.0, "32 pictures take 6 s"


@pytest.mark.slow
def test_many_known_tasks_beside_a_new_one_wait_for_no_other_projects_pictures(tmp_path: Path, studio: Studio) -> None:
    with running(tmp_path, Slow(), label_studio_url=studio.url, label_studio_token=studio.token) as backend:
        known = question("2.1", *(f"/data/warm/{number}.png" for number in range(24)))
        for task in known["tasks"]:
            task["data"]["image"] = "/data/warm.png"
            task["data"]["title"] = f"赠品 {task['id']}"
        backend.client.post("/predict", json=known)

        def new(number: int) -> dict[str, Any]:
            return question("1.1", *(f"/data/new/{number}-{place}.png" for place in range(8)))

        with beside(backend, new, 4):
            both = {**known, "tasks": [*known["tasks"], *question("2.1", "/data/other.png")["tasks"]]}
            began = time.monotonic()
            results = backend.client.post("/predict", json=both).json()["results"]
            assert time.monotonic() - began < 3.5, "six pieces, each behind a batch of .8 s, take 5"
            assert all(result["result"] for result in results)

"""While something else holds the database's lock, nobody waits for it; what came meanwhile is there afterwards."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from testing.waiting import until
from tests import captured
from tests.backend.parts import Backend, running
from tests.backend.questions import TAGS
from tests.databases import new_database

SOON_S = 3.0  # Label Studio waits so long for /setup
WARM = {"tasks": [{"id": 1, "data": {"title": "买一送一 赠品"}}], "project": "7.1", "label_config": TAGS}
NEW = {"tasks": [{"id": 2, "data": {"title": "买一送一 赠品"}}], "project": "8.1", "label_config": TAGS}
LATE = {"tasks": [{"id": 3, "data": {"image": "/data/a.png", "title": "赠品"}}], "project": "7.1", "label_config": TAGS}


@contextmanager
def locked(backend: Backend) -> Iterator[None]:
    """Another process's lock on the whole database, as a backup takes it."""
    other = sqlite3.connect(backend.settings.paths.home / "tagloom.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture(scope="module", autouse=True)
def as_it_is_served() -> Iterator[None]:
    """Elsewhere tests give the database more time, because others run beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.service.JOURNAL_SECONDS", 0.8)
        patch.setattr("backend.running.PATIENCE_S", 0.5)
        yield


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running(tmp_path_factory.mktemp("locked")) as made:
        made.setup({"project": "7.1", "schema": TAGS})
        yield made


EVENT, START = captured.body("10"), captured.body("17")

ASKED: dict[str, tuple[Callable[[Backend], Any], int]] = {
    "a warm task": (lambda it: it.client.post("/predict", json=WARM), 200),
    "a task whose picture cannot be had": (lambda it: it.client.post("/predict", json=LATE), 200),
    "a task of a new project": (lambda it: it.client.post("/predict", json=NEW), 200),
    "setup": (lambda it: it.client.post("/setup", json={"project": "7.1", "schema": TAGS}), 200),
    "setup of a new project": (lambda it: it.client.post("/setup", json={"project": "9.1", "schema": TAGS}), 200),
    "versions": (lambda it: it.client.get("/versions"), 200),
    "status": (lambda it: it.client.get("/status"), 200),
    "health": (lambda it: it.client.get("/health"), 200),
    "an event": (lambda it: it.client.post("/webhook", json=EVENT), 503),
    "Start training": (lambda it: it.client.post("/webhook", json=START), 503),
}


@pytest.mark.parametrize("what", ASKED)
def test_nobody_waits_for_the_lock(backend: Backend, what: str) -> None:
    with locked(backend):
        status = asked(backend, what)
    assert status == ASKED[what][1]


@pytest.mark.slow
def test_nobody_waits_for_a_locked_table_of_postgresql(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with (
        new_database("postgresql", request, tmp_path) as url,
        running(tmp_path, database_url=url) as backend,
        backend.store._database.write() as connection,
    ):
        backend.setup({"project": "7.1", "schema": TAGS})
        connection.execute(text("LOCK TABLE projects IN ACCESS EXCLUSIVE MODE"))  # keeps readers out, too
        found = {what: asked(backend, what) for what in ASKED}
    assert found == {what: expected for what, (_, expected) in ASKED.items()} | {"versions": 503, "status": 503}


def asked(backend: Backend, what: str) -> int:
    """The status of the answer, which comes soon; a task has a result all the same."""
    began = time.monotonic()
    answer = ASKED[what][0](backend)
    assert time.monotonic() - began < SOON_S, what
    if "task" in what:
        assert answer.json()["results"][0]["result"], "the texts speak for a gift"
    status: int = answer.status_code
    return status


def test_what_came_meanwhile_is_there_afterwards(tmp_path: Path) -> None:
    with running(tmp_path) as backend:
        backend.setup({"project": "7.1", "schema": TAGS})
        with locked(backend):
            assert backend.client.post("/webhook", json=EVENT).status_code == 503
            backend.client.post("/predict", json=WARM)
            time.sleep(1.0)  # the errand that learns the task has failed once by now
        until(lambda: backend.store.tasks.all("default/7.1"), seconds=10)
        assert [task.id for task in backend.store.tasks.all("default/7.1")] == [1]
    with running(tmp_path) as backend:
        (project,) = [key for key in (one.key for one in backend.store.projects.all()) if key != "default/7.1"]
        assert backend.store.annotations.of_project(project), "the late event"

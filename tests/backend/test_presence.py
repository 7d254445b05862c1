"""Projects that Label Studio has not: looked up once, and nothing is asked for them."""

from pathlib import Path
from typing import Any

import pytest

from backend import presence
from tests import captured
from tests.backend.parts import Backend, running
from tests.backend.questions import TAGS
from tests.labelstudio.studio import Studio

CREATED = captured.body("10")["project"]["created_at"]
THERE = captured.PROJECT  # default/2.…


@pytest.fixture
def studio_of_one(studio: Studio) -> Studio:
    """A Label Studio that has the captured project and no other."""
    studio.projects = {2: CREATED}
    return studio


def event(name: str, project: int) -> dict[str, Any]:
    body = captured.body(name)
    body["project"]["id"] = project
    return body


def lookups(studio: Studio) -> list[str]:
    return [path for path, _ in studio.requests if path.startswith("/api/projects/")]


def send(backend: Backend, body: dict[str, Any]) -> None:
    assert backend.client.post("/webhook", json=body).status_code == 200
    backend.settle()


def test_made_up_projects_are_looked_up_once_and_cost_no_job(backend: Backend, studio_of_one: Studio) -> None:
    for _ in range(3):
        for number in range(100, 140):
            assert backend.client.post("/webhook", json=event("10", number)).status_code == 200
        backend.setup({"project": "100.1", "schema": TAGS})
        backend.client.post("/predict", json={"tasks": [{"id": 1}], "project": "101.1", "label_config": TAGS})
    backend.settle()
    assert (backend.asked.train, backend.asked.encode, backend.asked.reconcile) == ([], [], [])
    assert len(lookups(studio_of_one)) == 42
    gone = backend.store.projects.gone()
    assert len(gone) == 42
    status = backend.client.get("/status").json()["projects"]
    assert {entry["project"] for entry in status if entry["gone"]} == gone
    assert backend.store.annotations.of_project(next(iter(gone - {"default/100.1", "default/101.1"}))), (
        "nothing is lost"
    )


def test_a_project_that_is_there_is_looked_up_once(backend: Backend, studio_of_one: Studio) -> None:
    for _ in range(3):
        send(backend, event("10", 2))
    assert backend.asked.train == [THERE] * 3
    assert len(lookups(studio_of_one)) == 1
    assert backend.store.projects.gone() == set()


def test_a_project_has_its_title_as_soon_as_it_is_connected(backend: Backend, studio_of_one: Studio) -> None:
    backend.setup({"project": THERE.partition("/")[2], "schema": TAGS})
    backend.settle()
    (entry,) = backend.client.get("/status").json()["projects"]
    assert entry["title"] == "Project 2"
    assert entry["behind"] == 0, "a title is no new gold"


def test_a_project_that_was_compared_before_needs_no_look(tmp_path: Path, studio_of_one: Studio) -> None:
    with running(tmp_path, label_studio_url=studio_of_one.url, label_studio_token=studio_of_one.token) as backend:
        backend.store.projects.ensure(THERE, TAGS)
        lease = backend.store.leases.acquire("reconcile", "test", 60)
        assert lease
        backend.store.projects.begin_reconcile(THERE)
        backend.store.projects.finish_reconcile(THERE, lease)
        send(backend, event("10", 2))
        assert backend.asked.train == [THERE]
        assert lookups(studio_of_one) == []


def test_one_that_is_there_again_goes_on(
    backend: Backend, studio_of_one: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio_of_one.projects = {7: CREATED}
    send(backend, event("10", 2))
    assert backend.store.projects.gone() == {THERE}
    studio_of_one.projects = {2: CREATED}
    send(backend, event("10", 2))
    assert backend.asked.train == [], "it is not looked up all the time"
    send(backend, captured.body("17"))
    assert (backend.asked.train, backend.asked.reconcile) == ([THERE], [THERE]), "Start training is pressed in it"
    assert backend.store.projects.gone() == set()


def test_a_gone_one_is_looked_up_again_after_a_while(
    backend: Backend, studio_of_one: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "REST_S", 0.0)
    studio_of_one.projects = {7: CREATED}
    send(backend, event("10", 2))
    studio_of_one.projects = {2: CREATED}
    send(backend, event("10", 2))
    assert backend.asked.train == [THERE]


def test_one_that_a_worker_found_gone_is_looked_up_again_too(
    backend: Backend, studio_of_one: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "HELD_S", 0.0)
    send(backend, event("10", 2))
    backend.store.projects.note_presence(THERE, is_there=False)
    send(backend, event("10", 2))
    assert backend.asked.train == [THERE] * 2
    assert backend.store.projects.gone() == set()


def test_a_404_that_is_not_label_studios_is_no_word_on_a_project(backend: Backend, studio: Studio) -> None:
    studio.default = None
    send(backend, event("10", 2))
    assert lookups(studio) == ["/api/projects/2/"]
    assert backend.asked.train == [THERE]
    assert backend.store.projects.gone() == set()


def test_where_label_studio_says_nothing_all_projects_count(tmp_path: Path, studio: Studio) -> None:
    for url, looks in ((studio.url, 1), ("http://127.0.0.1:1", 0), ("", 0)):
        with running(tmp_path / str(looks) / url[-1:], label_studio_url=url) as backend:
            for number in (100, 101, 102):
                send(backend, event("10", number))
            assert len(backend.asked.train) == 3
            assert backend.store.projects.gone() == set()
    assert len(lookups(studio)) == 1, "it is left alone after an answer that told nothing"

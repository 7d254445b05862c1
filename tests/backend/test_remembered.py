"""A task that is asked for again costs a look-up, in this process or in the store, and gets the same answer."""

from typing import Any

import pytest

from backend import known_projects
from backend.ahead import NEXT, TOGETHER
from backend.versions import Served
from labelstudio.changes import tasks_of
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from labelstudio.turns import FairPool
from model.tagger import Tagger
from store.answers import Answer
from tests import captured
from tests.backend.parts import Backend
from tests.backend.questions import TAGS, question, ready
from tests.backend.swaps import next_version, wait_for

KEY = ProjectKey.parse(captured.PROJECT)
BOXES = TAGS.replace(
    "</View>", '<RectangleLabels name="boxes" toName="image"><Label value="赠品"/></RectangleLabels></View>'
)


def ask(backend: Backend, body: dict[str, Any]) -> list[dict[str, Any]]:
    backend.settle()
    results: list[dict[str, Any]] = backend.client.post("/predict", json=body).json()["results"]
    return results


def silence_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on only what is remembered can be answered."""

    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the model was asked")

    monkeypatch.setattr(Tagger, "predict", fails)


def answer_in_store(backend: Backend, version: str, task: dict[str, Any], xml: str = TAGS, **changed: Any) -> None:
    """Keep an answer as a worker does: 价格, and not 赠品, with a score that no model gives."""
    lease = backend.store.leases.acquire("predict:test", "test", 60)
    assert lease
    key = item_key(KEY.connection, reference_of(backend.service.config(xml), task, KEY))
    kept: dict[str, Any] = {
        "task_id": task["id"],
        "version": version,
        "item_key": key,
        "score": 0.125,
        "labels": ("价格",),
        "probabilities": {"赠品": 0.1, "价格": 0.9},
        "boxes": (),
        "look_alike": task["id"],
        "changed": False,
        "size": (40, 30),
    }
    backend.store.answers.put(str(KEY), [Answer(**{**kept, **changed})], lease)


def test_a_task_that_is_asked_for_again_is_not_computed_again(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(backend)
    first = ask(backend, question(3))
    silence_model(monkeypatch)
    assert ask(backend, question(3)) == first
    # Another task of the same data has regions of its own.
    twin = question(1)
    twin["tasks"][0]["id"] = 99
    (other,) = ask(backend, twin)
    assert [region["value"] for region in other["result"]] == [region["value"] for region in first[0]["result"]]
    assert {region["id"] for region in other["result"]}.isdisjoint(region["id"] for region in first[0]["result"])
    # Other data is another question.
    assert [result["result"] for result in ask(backend, question(1, "别的标题"))] == [[]]


def test_what_was_answered_is_given_again_without_a_thread_and_without_the_database(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(backend)
    first = backend.client.post("/predict", json=question(2))
    backend.settle()
    backend.client.post("/predict", json=question(1))

    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("somebody waits")

    with monkeypatch.context() as patch:
        patch.setattr(FairPool, "submit", fails)
        patch.setattr(backend.store.projects, "get", fails)
        again = backend.client.post("/predict", json=question(2))
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    # A project that was read too long ago is read again, and a task that nobody asked for has no answer yet.
    monkeypatch.setattr(known_projects, "LATEST_S", -1.0)
    assert backend.client.post("/predict", json=question(2)).content == first.content
    monkeypatch.undo()
    assert len(backend.client.post("/predict", json=question(3)).json()["results"]) == 3


def test_what_was_written_for_one_config_is_not_given_to_another(backend: Backend) -> None:
    ready(backend)
    ask(backend, question(1))
    renamed = TAGS.replace('name="elements"', 'name="renamed"')
    (region, *_) = ask(backend, question(1, label_config=renamed))[0]["result"]
    assert region["from_name"] == "renamed"
    assert ask(backend, question(1))[0]["result"][0]["from_name"] == "elements"


def test_a_new_version_is_asked_anew(backend: Backend) -> None:
    old = ready(backend)
    ask(backend, question(2))
    new = next_version(backend, 3)
    wait_for(new, backend)
    assert {result["model_version"] for result in ask(backend, question(2))} == {new} != {old}


def test_what_a_worker_has_kept_is_answered_from_the_store(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    version = ready(backend)
    tasks = question(3)["tasks"]
    answer_in_store(backend, version, tasks[0])
    answer_in_store(backend, version, tasks[1], item_key="of other data")
    answer_in_store(backend, "v0.other", tasks[2])
    scores = [ask(backend, {**question(0), "tasks": [task]})[0]["score"] for task in tasks]
    assert scores[0] == 0.125
    assert 0.125 not in scores[1:]
    silence_model(monkeypatch)
    (again,) = ask(backend, {**question(0), "tasks": tasks[:1]})
    assert again["result"][0]["value"]["choices"] == ["价格"]


def test_answers_without_boxes_do_not_serve_a_config_that_got_boxes(backend: Backend) -> None:
    version = ready(backend)
    for task in question(2)["tasks"]:
        answer_in_store(backend, version, task)
    assert ask(backend, question(1))[0]["score"] == 0.125
    backend.setup({**captured.body("02"), "schema": BOXES})
    assert ask(backend, question(2, label_config=BOXES))[0]["score"] != 0.125
    boxes = (("赠品", 0.1, 0.1, 0.5, 0.5, 0.7),)
    answer_in_store(backend, version, {**question(3)["tasks"][2]}, BOXES, boxes=boxes, labels=("赠品",))
    (shown,) = ask(backend, {**question(0, label_config=BOXES), "tasks": question(3)["tasks"][2:]})
    assert [region["type"] for region in shown["result"]] == ["choices", "rectanglelabels"]
    assert (shown["result"][1]["original_width"], shown["result"][1]["original_height"]) == (40, 30)


def test_the_next_tasks_are_answered_ahead_after_a_swap(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(backend)
    count = NEXT + 3
    ask(backend, question(count))
    ask(backend, question(1))
    engine = backend.service.engine.result()
    known: dict[str, int] = {}
    put = engine.shelf.put

    def noting(project: str, served: Served) -> None:
        kept = list(engine.answers._memory._kept._entries)
        known[served.version] = sum(asked.version == served.version for asked, _ in kept)
        put(project, served)

    monkeypatch.setattr(engine.shelf, "put", noting)
    new = next_version(backend, 3)
    wait_for(new, backend)
    assert known[new] == 1 + NEXT, "before it serves"
    silence_model(monkeypatch)
    tasks = question(count)["tasks"]
    assert ask(backend, {**question(0), "tasks": [tasks[1]]})[0]["result"], "the next one"
    assert ask(backend, {**question(0), "tasks": [tasks[NEXT]]})[0]["result"]
    assert ask(backend, {**question(0), "tasks": [tasks[NEXT + 2]]})[0]["result"] == [], "nobody waits for that one"


def test_a_task_whose_picture_is_unread_keeps_no_other_from_being_answered_ahead(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(backend)
    tasks = question(TOGETHER)["tasks"]
    unread = question(TOGETHER, "别的标题")["tasks"][1]
    ask(backend, {**question(0), "tasks": [tasks[0], *tasks[2:]]})
    backend.settle()
    backend.store.tasks.upsert(captured.PROJECT, tasks_of([unread]))
    ask(backend, {**question(0), "tasks": tasks[:1]})
    wait_for(next_version(backend, 3), backend)
    silence_model(monkeypatch)
    for task in (tasks[0], *tasks[2:]):
        assert ask(backend, {**question(0), "tasks": [task]})[0]["result"]

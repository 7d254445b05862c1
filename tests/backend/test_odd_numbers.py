"""Numbers that no database and no picture can hold, anywhere in a request: told or passed over, never half done."""

import copy
import itertools
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response

from tests import captured
from tests.backend.parts import Backend, running

CREATED = captured.PROJECT.partition(".")[2]
NUMBERS = itertools.count(100)
NO_IDS = [2**63, 10**400, -1, 1.5, float("nan"), float("inf"), True, "7", None]
NO_SIDES = [float("nan"), float("inf"), float("-inf"), 10**400, 1e308, -1e308, True, "9", None, [[[]]]]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One backend for all cases, each in a project of its own: what one leaves behind must not hurt the next."""
    with running(tmp_path_factory.mktemp("odd")) as made:
        made.service.engine.result(20)
        yield made


def own(name: str) -> tuple[dict[str, Any], str]:
    """A captured body for a new project, and the project's key."""
    body, number = captured.body(name), next(NUMBERS)
    if isinstance(body["project"], dict):
        body["project"]["id"] = number
    else:
        body["project"] = f"{number}.{CREATED}"
    return body, f"default/{number}.{CREATED}"


def send(backend: Backend, path: str, body: dict[str, Any]) -> Response:
    """As Python writes JSON: NaN, infinities and integers of any length included."""
    return backend.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("number", NO_IDS)
def test_a_task_without_a_usable_id_is_answered_and_not_learned(backend: Backend, number: Any) -> None:
    body, key = own("04")
    odd, other = body["tasks"][1], body["tasks"][0]
    odd["id"] = number
    assert_answered(backend, body)
    assert [task.id for task in backend.store.tasks.all(key)] == [
        task["id"] for task in body["tasks"] if task is not odd
    ]
    assert other["id"] in [task.id for task in backend.store.tasks.all(key)]


@pytest.mark.parametrize("odd", [[], 7, "x", None, {"id": 1, "data": [1]}, {"id": [], "data": "x", "updated_at": 3}])
def test_a_task_of_another_shape_leaves_the_others_their_answers(backend: Backend, odd: Any) -> None:
    body, _ = own("04")
    body["tasks"].insert(0, odd)
    first, *others = assert_answered(backend, body)
    assert first["result"] == []
    assert any(result["result"] for result in others)


def assert_answered(backend: Backend, body: dict[str, Any]) -> list[dict[str, Any]]:
    """All tasks are, under one version."""
    answer = send(backend, "/predict", body)
    assert answer.status_code == 200, answer.text
    backend.settle()
    results: list[dict[str, Any]] = answer.json()["results"]
    assert len(results) == len(body["tasks"])
    assert {result["model_version"].removesuffix("+fast") for result in results} == {answer.json()["model_version"]}
    return results


@pytest.mark.parametrize("number", NO_IDS)
def test_a_project_without_a_usable_id_is_told(backend: Backend, number: Any) -> None:
    body, key = own("10")
    body["project"]["id"] = number
    assert send(backend, "/webhook", body).status_code == 422
    assert backend.store.projects.get(key) is None


@pytest.mark.parametrize("number", NO_IDS)
def test_one_odd_annotation_of_many_is_left_out_with_a_word(
    backend: Backend, number: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body, key = own("15")
    assert [entry["task"] for entry in body["annotation"]] == [1, 2]
    body["annotation"][0]["id"] = number
    with caplog.at_level(logging.WARNING):
        assert send(backend, "/webhook", body).status_code == 200
    assert {task: len(entries) for task, entries in backend.store.annotations.of_project(key).items()} == {2: 1}
    assert "without a usable id" in caplog.text


@pytest.mark.parametrize("name", ["14", "16", "20", "21"])
@pytest.mark.parametrize("number", [2**63, -1, float("nan")])
def test_odd_ids_in_lists_change_nothing(backend: Backend, name: str, number: Any) -> None:
    body, key = own(name)
    for entry in body.get("tasks", []) + body.get("annotations", []):
        entry["id"] = number
    assert send(backend, "/webhook", body).status_code == 200
    assert backend.store.tasks.all(key) == []
    assert backend.store.annotations.of_project(key) == {}


@pytest.mark.parametrize("side", ["x", "width", "rotation"])
@pytest.mark.parametrize("number", NO_SIDES)
def test_odd_places_of_a_drawn_box_are_answered(backend: Backend, side: str, number: Any) -> None:
    body, _ = own("07")
    region = copy.deepcopy(body["params"]["context"]["result"][0])
    region["value"][side] = number
    body["params"]["context"]["result"] = [region]
    answer = send(backend, "/predict", body)
    assert answer.status_code == 200
    values = [entry["value"] for entry in answer.json()["results"][0]["result"] if "x" in entry["value"]]
    assert all(0 <= value["x"] <= value["x"] + value["width"] <= 100 for value in values)


@pytest.mark.parametrize("number", NO_SIDES)
def test_an_annotation_with_an_odd_box_is_kept_whole_and_gives_no_place(backend: Backend, number: Any) -> None:
    from labelstudio.config import LabelConfig
    from labelstudio.gold import gold_of

    body, key = own("10")
    place = {"y": 1, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["LOGO"]}
    body["annotation"]["result"] = [
        {
            "id": "a",
            "from_name": "boxes",
            "to_name": "image",
            "type": "rectanglelabels",
            "value": {"x": number, **place},
        }
    ]
    assert send(backend, "/webhook", body).status_code == 200
    (kept,) = backend.store.annotations.of_project(key)[1]
    gold = gold_of(LabelConfig.parse(captured.CONFIG), [kept])
    assert gold is not None
    assert not gold.boxes
    assert gold.labels == {"LOGO"}
    assert gold.unknown_boxes == set(gold.unknown | gold.labels), "where it is, and what else there is, nobody knows"


def test_deeply_nested_bodies_are_no_error_of_ours(backend: Backend) -> None:
    for depth in (200, 400, 900, 3000, 100_000):
        nested = "[" * depth + "]" * depth
        for path, body in (("/predict", captured.body("03")), ("/webhook", captured.body("10"))):
            sent = json.dumps(body).replace('"project"', f'"deep": {nested}, "project"', 1)
            answer = backend.client.post(path, content=sent, headers={"Content-Type": "application/json"})
            assert answer.status_code in (200, 400, 422), (path, depth, answer.text)

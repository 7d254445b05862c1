"""Labelling configs that cannot work, that are large, and that are asked for in turn."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backend.industry_keys import ALIVE_S, AskedKeys
from tests import captured
from tests.backend.parts import Backend, running
from tests.labelstudio.configs import USELESS, labelled


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running(tmp_path_factory.mktemp("configs")) as made:
        made.service.engine.result(20)
        yield made


@pytest.mark.parametrize("name", USELESS)
def test_a_config_that_cannot_work_is_refused_and_tasks_are_answered(backend: Backend, name: str) -> None:
    body = {"project": "9.1", "schema": USELESS[name]}
    answer = backend.client.post("/setup", json=body, follow_redirects=True)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    asked = {"project": "9.1", "label_config": USELESS[name], "tasks": [{"id": 1, "data": {"image": "/a.png"}}]}
    answer = backend.client.post("/predict", json=asked)
    assert answer.status_code == 200
    assert answer.json()["results"][0]["result"] == []


def test_a_config_that_label_studios_reader_refuses_is_refused(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelstudio import results

    def refuse(_: str) -> Any:
        raise RecursionError("too deep for it")

    monkeypatch.setattr(results, "_new_interface", refuse)
    config = captured.CONFIG.replace("LOGO", "LOGO 2")
    answer = backend.client.post("/setup", json={"project": "10.1", "schema": config}, follow_redirects=True)
    assert answer.status_code == 400
    assert "Label Studio's own reader" in answer.json()["detail"]
    asked = {**captured.body("04"), "label_config": config}
    answer = backend.client.post("/predict", json=asked)
    assert [result["result"] for result in answer.json()["results"]] == [[]] * len(asked["tasks"])


def test_controls_that_cannot_be_used_and_what_labels_are_taken_for_are_told(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    odd = '<Choices name="cat" toName="image" value="$candidates"/></View>'
    config = captured.CONFIG.replace("</View>", odd).replace("文案", "Promo texts").replace("价格", "尺码表")
    with caplog.at_level(logging.INFO):
        assert backend.setup({"project": "14.1", "schema": config})
    asked = {**captured.body("04"), "project": "14.1", "label_config": config}
    answer = backend.client.post("/predict", json=asked)
    regions = [region for result in answer.json()["results"] for region in result["result"]]
    assert {region["from_name"] for region in regions} <= {"elements", "boxes"}
    (status,) = [one for one in backend.client.get("/status").json()["projects"] if one["project"] == "default/14.1"]
    assert status["left_out"] == [
        '<Choices name="cat">: it takes its labels from task data (value="$candidates"): '
        'write each as <Choice value="..."/> inside it'
    ]
    assert status["labels"]["Promo texts"] == "taken for copy (文案) by its words"
    assert status["labels"]["尺码表"].startswith("not known; names known are product (主体)")
    assert "controls are left to the annotator" in caplog.text
    assert "taken for copy" in caplog.text


def test_a_config_of_unusable_controls_alone_gives_the_reason_of_each(backend: Backend) -> None:
    config = (
        '<View><Image name="image" value="$image"/><Choices name="cat" toName="image" value="$candidates"/>'
        '<RectangleLabels name="boxes" toName="gone"><Label value="LOGO"/></RectangleLabels></View>'
    )
    answer = backend.client.post("/setup", json={"project": "15.1", "schema": config}, follow_redirects=True)
    assert answer.status_code == 400
    assert '<Choices name="cat">: it takes its labels from task data' in answer.json()["detail"]
    assert '<RectangleLabels name="boxes">: no tag has the name "gone"' in answer.json()["detail"]


def test_as_many_labels_as_may_be_are_set_up_in_time(backend: Backend) -> None:
    began = time.process_time()
    assert backend.setup({"project": "11.1", "schema": labelled(1_000)})
    assert time.process_time() - began < 3
    body = {**captured.body("04"), "project": "11.1", "label_config": labelled(1_000)}
    assert backend.client.post("/predict", json=body).status_code == 200


def revision(backend: Backend, key: str) -> int:
    project = backend.store.projects.get(key)
    assert project
    return project.gold_revision


def test_two_connections_that_ask_for_other_industry_keys_do_not_train_in_turn(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10):
        keys = [f"level{number % 2}"]
        backend.setup({**captured.body("02"), "project": "12.1", "extra_params": {"industry_keys": keys}})
    assert revision(backend, "default/12.1") <= 2
    assert "two connections" in caplog.text


def test_keys_that_are_changed_hold_at_once(backend: Backend) -> None:
    for keys in (["a"], ["b"], ["c"], []):
        backend.setup({**captured.body("02"), "project": "13.1", "extra_params": {"industry_keys": keys}})
        project = backend.store.projects.get("default/13.1")
        assert project
        assert project.industry_keys == tuple(keys)


def test_keys_come_back_when_those_that_replaced_them_are_asked_for_no_more(moved: Callable[[float], None]) -> None:
    keys = AskedKeys()
    assert keys.chosen("p", ("a",), ("a",)) == ("a",)
    assert keys.chosen("p", ("a",), ("b",)) == ("b",)
    assert keys.chosen("p", ("b",), ("a",)) == ("b",)
    assert keys.chosen("q", ("b",), ("a",)) == ("a",), "another project"
    moved(ALIVE_S + 1)
    assert keys.chosen("p", ("b",), ("a",)) == ("a",)

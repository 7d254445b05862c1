"""Every captured request of Label Studio 1.23.2, replayed, and what the contract asks of the answers."""

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from labelstudio.config import LabelConfig
from model.features.item import ItemFeatures
from model.items import Item
from tests import captured
from tests.backend.parts import Backend, cold, features_of, publish
from tests.backend.questions import assert_valid
from tests.backend.swaps import wait_for

WHOLE = [name for name in captured.NAMES if not name.startswith("08")]  # 08 names its 257 tasks by two of them


@pytest.mark.parametrize("name", WHOLE)
def test_every_captured_request_is_answered(backend: Backend, name: str) -> None:
    asked = captured.request(name)
    backend.service.engine.result(20)
    answer = backend.client.request(asked["method"], asked["path"], json=asked["body"])
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("name", ["03", "04", "06"])
def test_predictions_are_one_per_task_and_of_setups_version(backend: Backend, name: str) -> None:
    version = backend.setup(captured.body("02"))
    body = captured.body(name)
    answer = backend.client.post("/predict", json=body).json()
    assert len(answer["results"]) == len(body["tasks"])
    assert {result["model_version"] for result in answer["results"]} == {version} == {answer["model_version"]}
    assert_valid(answer["results"], body["label_config"])
    tags = [region for result in answer["results"] for region in result["result"] if region["type"] == "choices"]
    assert any("价格" in region["value"]["choices"] for region in tags), (
        "the price that is read in the picture is a tag"
    )


def test_a_whole_selection_in_one_request(backend: Backend) -> None:
    body = captured.body("08")
    body["label_config"] = re.sub("<RectangleLabels.*</RectangleLabels>", "", body["label_config"])
    version = backend.setup({**captured.body("02"), "schema": body["label_config"]})
    first = body["tasks"][0]
    body["tasks"] = [
        {**first, "id": number, "data": {**first["data"], "title": f"新品 {number}"}} for number in range(257)
    ]
    answer = backend.client.post("/predict", json=body).json()
    assert len(answer["results"]) == 257
    assert {result["model_version"] for result in answer["results"]} == {version}
    assert_valid(answer["results"], body["label_config"])


def test_the_same_question_has_the_same_answer(backend: Backend) -> None:
    backend.setup(captured.body("02"))
    first, second = (backend.client.post("/predict", json=captured.body("03")).json() for _ in range(2))
    assert first == second


def test_setup_is_idempotent_and_quick(backend: Backend) -> None:
    version = backend.setup(captured.body("02"))
    times = []
    for _ in range(30):
        began = time.perf_counter()
        assert backend.setup(captured.body("02")) == version
        times.append(time.perf_counter() - began)
    assert sorted(times)[15] < 0.05
    assert len(backend.store.versions.list(captured.PROJECT)) == 1


def test_first_setup_wakes_encoding_and_reconcile_once(backend: Backend) -> None:
    for _ in range(3):
        backend.setup(captured.body("02"))
    backend.settle()
    assert backend.asked.encode == [captured.PROJECT]
    assert backend.asked.reconcile == [captured.PROJECT]
    assert backend.asked.train == []


def test_start_training_answers_an_object_with_a_job(backend: Backend) -> None:
    answer = backend.client.post("/webhook", json=captured.body("17")).json()
    assert answer["job"].startswith("train-default-2")
    backend.settle()
    assert backend.asked.train == [captured.PROJECT]
    assert backend.store.projects.waiting_for_training() == [captured.PROJECT]


def test_training_requests_are_capped_and_still_answered(backend: Backend) -> None:
    answers = [backend.client.post("/webhook", json=captured.body("17")) for _ in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    project = backend.store.projects.get(captured.PROJECT)
    assert project is not None
    assert project.gold_revision <= backend.settings.access.training_requests_per_minute + 1


def test_a_training_request_beyond_the_cap_still_compares_with_label_studio(backend: Backend) -> None:
    for _ in range(backend.settings.access.training_requests_per_minute):
        backend.client.post("/webhook", json=captured.body("17"))
    backend.store.projects.begin_reconcile(captured.PROJECT)
    lease = backend.store.leases.acquire("test", "test", ttl=60)
    assert lease
    backend.store.projects.finish_reconcile(captured.PROJECT, lease)
    assert backend.store.projects.waiting_for_reconcile(0.0) == []
    backend.store.projects.begin_reconcile(captured.PROJECT)
    assert backend.client.post("/webhook", json=captured.body("17")).status_code == 200
    assert backend.store.projects.waiting_for_reconcile(0.0) == [captured.PROJECT]


def test_tasks_that_are_learned_meanwhile_do_not_hide_others(backend: Backend) -> None:
    version = backend.setup(captured.body("02"))
    busy, learned = threading.Event(), captured.body("04")
    backend.service._waker.ask("busy", "", lambda: busy.wait(20))
    for numbers in ((1, 5, 9), (1, 6, 9)):
        tasks = [{"id": number, "data": {"title": "tea"}} for number in numbers]
        assert backend.client.post("/predict", json={**learned, "tasks": tasks}).status_code == 200
    busy.set()
    backend.settle()
    assert version
    assert {1, 5, 6, 9} <= {task.id for task in backend.store.tasks.all(captured.PROJECT)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("10", "train"), ("11", "train"), ("12", "train"), ("13", "train"), ("14", "train"), ("15", "train"),
        ("16", "train"), ("20", "encode"), ("21", "train"), ("18", None),
    ],
)  # fmt: skip
def test_events_wake_who_has_work(backend: Backend, name: str, expected: str | None) -> None:
    assert backend.client.post("/webhook", json=captured.body(name)).json() == {"status": "ok", "job": None}
    backend.settle()
    woken = [kind for kind in ("train", "encode") if getattr(backend.asked, kind)]
    assert woken == ([expected] if expected else [])


@pytest.mark.parametrize("name", ["17", "20"])
def test_a_reconcile_that_an_event_needs_outlives_its_wake_up(
    backend: Backend, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "20":  # only a person's request is not to wait
        monkeypatch.setattr("store.projects.RECONCILE_PAUSE_S", 0.0)
    backend.setup(captured.body("02"))
    backend.store.projects.begin_reconcile(captured.PROJECT)
    lease = backend.store.leases.acquire("test", "test", ttl=60)
    assert lease
    backend.store.projects.finish_reconcile(captured.PROJECT, lease)
    backend.client.post("/webhook", json=captured.body(name))
    assert backend.store.projects.waiting_for_reconcile(0.0) == [captured.PROJECT]


def test_annotations_are_in_the_store_when_the_webhook_is_answered(backend: Backend) -> None:
    backend.client.post("/webhook", json=captured.body("10"))
    kept = backend.store.annotations.of_project(captured.PROJECT)
    assert [entry["result"] for entry in kept[1]] == [captured.body("10")["annotation"]["result"]]
    backend.client.post("/webhook", json=captured.body("15"))
    assert set(backend.store.annotations.of_project(captured.PROJECT)) == {1, 2}
    backend.client.post("/webhook", json=captured.body("16"))
    assert set(backend.store.annotations.of_project(captured.PROJECT)) == {1}


def test_a_changed_label_config_serves_at_once_and_asks_for_training(backend: Backend) -> None:
    backend.setup(captured.body("02"))
    backend.client.post("/webhook", json=captured.body("10"))
    backend.client.post("/webhook", json=captured.body("19"))
    backend.settle()
    assert captured.PROJECT in backend.asked.train
    changed = captured.body("19")["project"]["label_config"]
    body = {**captured.body("04"), "label_config": changed}
    answer = backend.client.post("/predict", json=body).json()
    assert_valid(answer["results"], changed)
    assert all(result["result"] for result in answer["results"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<Choice value="价格"/>', '<Choice value="价格"/><Choice value="新品"/>'),
        ('<Choice value="价格"/>', ""),
        ('value="价格"', 'value="标价" predicted_values="价格"'),
        ('value="价格"', 'value="Preis"'),
    ],
    ids=["added", "removed", "renamed", "unknown"],
)
def test_a_trained_version_serves_other_labels_until_the_worker_has_one_for_them(
    backend: Backend, old: str, new: str
) -> None:
    backend.setup(captured.body("02"))
    current = backend.store.versions.current(captured.PROJECT)
    assert current is not None
    tagger = cold(current.labels, 11)
    trained = publish(
        backend.settings, backend.store, captured.PROJECT, tagger, current.number + 1, current.generation
    ).version
    project = captured.body("19")["project"] | {"label_config": captured.CONFIG.replace(old, new)}
    assert project["label_config"] != captured.CONFIG
    assert backend.client.post("/webhook", json={"action": "PROJECT_UPDATED", "project": project}).status_code == 200
    backend.settle()
    assert backend.asked.train == [captured.PROJECT]
    wait_for(trained, backend)
    assert backend.setup({**captured.body("02"), "schema": project["label_config"]}) == trained
    answer = backend.client.post("/predict", json={**captured.body("04"), "label_config": project["label_config"]})
    assert_valid(answer.json()["results"], project["label_config"])
    assert {result["model_version"] for result in answer.json()["results"]} == {trained}


def test_a_config_that_cannot_work_is_told_where_label_studio_shows_it(backend: Backend) -> None:
    backend.service.engine.result(20)
    body = {**captured.body("02"), "schema": '<View><Image name="i" value="$i"/></View>'}
    answer = backend.client.post("/setup", json=body, follow_redirects=True)
    assert answer.status_code == 400
    assert "add-<Choices" in str(answer.url).replace("%3C", "<")
    assert "add <Choices" in answer.json()["detail"]


def test_predict_before_setup_works(backend: Backend) -> None:
    answer = backend.client.post("/predict", json=captured.body("04"))
    assert all(result["result"] for result in answer.json()["results"])


def test_predict_without_a_usable_config_answers_every_task(backend: Backend) -> None:
    body = {**captured.body("04"), "label_config": "<View/>"}
    answer = backend.client.post("/predict", json=body)
    assert answer.status_code == 200
    assert [result["result"] for result in answer.json()["results"]] == [[]] * len(body["tasks"])


def test_versions_by_get(backend: Backend) -> None:
    version = backend.setup(captured.body("02"))
    assert backend.client.get("/versions").json() == {"versions": [version]}


def test_interactive_answers_with_the_drawn_box(backend: Backend) -> None:
    backend.setup(captured.body("02"))
    body = captured.body("07")
    answer = backend.client.post("/predict", json=body).json()
    assert_valid(answer["results"], body["label_config"])
    regions = answer["results"][0]["result"]
    assert [region["type"] for region in regions] == ["rectanglelabels"]
    assert regions[0]["from_name"] == "boxes"
    assert regions[0]["value"]["rectanglelabels"][0] in LabelConfig.parse(body["label_config"]).labels


def test_status_and_metrics_say_what_serves(backend: Backend) -> None:
    version = backend.setup(captured.body("02"))
    backend.client.post("/predict", json=captured.body("04"))
    status = backend.client.get("/status").json()
    assert status["projects"][0]["serving"] == status["projects"][0]["version"] == version
    assert status["encoders"]["image"] == "none, for tests"
    text = backend.client.get("/metrics").text
    assert 'tagloom_tasks_total{outcome="full"}' in text
    assert 'tagloom_requests_total{route="predict",status="200"} 1.0' in text


def test_status_counts_pictures_that_were_not_read_as_usual(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.setup(captured.body("02"))

    def extract(items: Sequence[Item]) -> list[ItemFeatures]:
        return [replace(features_of(item), notes=("upside down",) if item.image else ()) for item in items]

    monkeypatch.setattr(backend.encoders, "extract", extract)
    backend.client.post("/predict", json=captured.body("04"))
    notes = backend.client.get("/status").json()["projects"][0]["picture_notes"]
    assert notes == {"upside down": len(captured.body("04")["tasks"])}


def test_a_connections_own_industry_keys_count_and_are_kept(backend: Backend) -> None:
    config = captured.CONFIG
    extra = {"industry_keys": ["大类", "小类"]}
    backend.setup({**captured.body("02"), "extra_params": extra})
    body = captured.body("04")
    for task in body["tasks"]:
        task["data"] |= {"大类": "食品", "小类": "零食", "industry": "家电"}
    assert backend.client.post("/predict", json=body).status_code == 200
    seen = [entry.industry for entry in backend.service.engine.result()._canaries.of(captured.PROJECT)]
    assert seen == [("食品", "零食")] * len(body["tasks"])
    project = backend.store.projects.get(captured.PROJECT)
    assert project is not None
    assert project.industry_keys == ("大类", "小类"), "for the worker, which sees no /setup"
    backend.setup({**captured.body("02"), "schema": config})
    backend.settle()
    assert backend.asked.encode.count(captured.PROJECT) >= 2, "other keys: other items"
    backend.client.post("/predict", json=body)
    seen = [entry.industry for entry in backend.service.engine.result()._canaries.of(captured.PROJECT)]
    assert seen[-1] == ("家电",)

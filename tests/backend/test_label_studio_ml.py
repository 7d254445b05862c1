"""The engine behind label-studio-ml 1.0.9's own server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from label_studio_ml import api
from label_studio_ml.model import LabelStudioMLBase

from backend.label_studio_ml import ElementTagger, ElementTaggerManager
from backend.metrics import Metrics
from backend.running import running
from backend.ties import Dependencies, dependencies_of
from tagloom_base.settings import Settings
from tests import captured
from tests.backend.parts import NO_REDIS, Asked, CheapEncoders
from tests.backend.questions import assert_valid
from tests.labelstudio.studio import Studio


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def client(tmp_path: Path, studio: Studio, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    settings = Settings(home=tmp_path, redis_url=NO_REDIS, label_studio_url=studio.url, label_studio_token=studio.token)
    make = dependencies_of(settings).cold_start
    dependencies = Dependencies(
        lambda _: CheapEncoders(), make, asked.train.append, asked.encode.append, asked.reconcile.append
    )
    with running(settings, dependencies, Metrics()) as service:
        service.engine.result(20)
        monkeypatch.setattr(api, "_manager", ElementTaggerManager(service))
        yield api._server.test_client()


def test_it_is_a_label_studio_ml_model() -> None:
    assert issubclass(ElementTagger, LabelStudioMLBase)


def test_predict_before_setup_and_setup_of_the_same_version(client: FlaskClient) -> None:
    body = captured.body("04")
    answer = client.post("/predict", json=body).get_json()
    assert_valid(answer["results"], body["label_config"])
    assert all(result["result"] for result in answer["results"])
    version = client.post("/setup", json=captured.body("02")).get_json()["model_version"]
    assert {result["model_version"] for result in answer["results"]} == {version} == {answer["model_version"]}


def test_an_interactive_request_is_answered_with_a_box(client: FlaskClient) -> None:
    answer = client.post("/predict", json=captured.body("07")).get_json()
    assert [region["type"] for region in answer["results"][0]["result"]] == ["rectanglelabels"]


def test_webhooks_reach_the_journal(client: FlaskClient, asked: Asked) -> None:
    answer = client.post("/webhook", json=captured.body("10"))
    assert answer.get_json() == {"status": "ok", "job": None}
    store = api._manager.service.store
    assert set(store.annotations.of_project(captured.PROJECT)) == {1}
    assert client.post("/webhook", json=captured.body("17")).get_json()["job"]
    assert client.get("/is_training", query_string={"project": "2.1795288797"}).get_json() == {"is_training": True}


def test_projects_are_apart(client: FlaskClient) -> None:
    first = client.post("/setup", json=captured.body("02")).get_json()["model_version"]
    other = {**captured.body("02"), "project": "3.1795288799", "schema": captured.CONFIG.replace("赠品", "别的")}
    second = client.post("/setup", json=other).get_json()["model_version"]
    assert first != second
    answer = client.post("/predict", json=captured.body("03")).get_json()
    assert answer["results"][0]["model_version"] == first


def test_health_and_its_own_versions(client: FlaskClient) -> None:
    assert client.get("/health").get_json()["status"] == "UP"
    version = client.post("/setup", json=captured.body("02")).get_json()["model_version"]
    assert client.post("/versions", json={"project": "2.1795288797"}).get_json()["versions"] == [version]
    assert client.get("/versions").status_code == 405, "its server's limit, as documented"

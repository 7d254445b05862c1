"""What breaks in label-studio-ml 1.0.9 and 2.x, as a test on Tagloom: one test for each defect that we measured."""

import importlib.metadata
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rq import Queue, SimpleWorker
from rq.timeouts import TimerDeathPenalty

from backend.service import Service
from store.leases import lease_name
from tagloom_base.settings import Settings
from tests import captured
from tests.backend.credentials import NEW, basic, secrets
from tests.backend.parts import Backend, cold, running
from tests.backend.swaps import next_version, wait_for
from worker import queue
from worker.promotion.gate import Verdict
from worker.promotion.publication import Publisher

KEY = captured.PROJECT
DAY_S = 24 * 3600


def annotated(number: int, task: int = 1) -> dict[str, Any]:
    body = captured.body("10")
    body["annotation"] |= {"id": number, "task": task}
    body["task"]["id"] = task
    return body


def other_project(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "project": "5.1795290000"}


def test_no_event_is_dropped_when_many_come_at_once(backend: Backend) -> None:
    sent = [
        threading.Thread(target=backend.client.post, args=("/webhook",), kwargs={"json": annotated(n, n)})
        for n in range(1, 26)
    ]
    for thread in sent:
        thread.start()
    for thread in sent:
        thread.join()
    assert set(backend.store.annotations.of_project(KEY)) == set(range(1, 26))


def test_start_training_starts_training_and_renaming_does_not(backend: Backend) -> None:
    backend.client.post("/webhook", json=captured.body("18"))
    backend.settle()
    assert backend.asked.train == []
    backend.client.post("/webhook", json=captured.body("17"))
    backend.settle()
    assert backend.asked.train == [KEY]


def test_deletions_and_bulk_creations_are_seen(backend: Backend) -> None:
    backend.client.post("/webhook", json=captured.body("15"))
    assert set(backend.store.annotations.of_project(KEY)) == {1, 2}
    backend.client.post("/webhook", json=captured.body("16"))
    assert not any(backend.store.annotations.of_project(KEY).values())


def test_projects_have_models_and_configs_of_their_own(backend: Backend) -> None:
    first = backend.setup(captured.body("02"))
    config = captured.CONFIG.replace("赠品", "新品")
    second = backend.setup({**other_project(captured.body("02")), "schema": config})
    assert first != second
    trained = next_version(backend, 3)
    wait_for(trained, backend)
    answers = [
        backend.client.post("/predict", json=body).json()
        for body in (captured.body("03"), {**other_project(captured.body("03")), "label_config": config})
    ]
    assert [answer["model_version"] for answer in answers] == [trained, second]


def test_webhooks_and_start_training_are_answered_at_once(backend: Backend) -> None:
    backend.client.post("/webhook", json=annotated(1))
    for body in (annotated(2), captured.body("17")):
        began = time.perf_counter()
        assert backend.client.post("/webhook", json=body).status_code == 200
        assert time.perf_counter() - began < 1.0


def test_no_process_is_started_per_event(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    # The start itself may run a process, such as the encoder of labels' names.
    backend.service.engine.result(30)

    def noting(owner: Any, name: str) -> None:
        start = getattr(owner, name)

        def noted(*args: Any, **options: Any) -> Any:
            started.append(f"{owner.__name__}.{name}")
            return start(*args, **options)

        monkeypatch.setattr(owner, name, noted)

    for owner, name in ((BaseProcess, "start"), (subprocess.Popen, "__init__"), (os, "fork"), (os, "posix_spawn")):
        noting(owner, name)
    for number in range(1, 6):
        backend.client.post("/webhook", json=annotated(number))
    backend.client.post("/webhook", json=captured.body("17"))
    backend.settle()
    assert set(backend.asked.train) == {KEY}, "the events have been worked on"
    assert started == []


def test_the_projects_model_version_selects_no_version(backend: Backend) -> None:
    """Label Studio sends its project's setting along: the backend's title, or a version that served once."""
    earlier = backend.setup(captured.body("02"))
    served = next_version(backend, 3)
    wait_for(served, backend)
    for chosen in ("ml-2", earlier):
        for name in ("10", "17", "18"):
            body = captured.body(name)
            body["project"]["model_version"] = chosen
            assert backend.client.post("/webhook", json=body).status_code == 200
        backend.settle()
        assert backend.setup(captured.body("02")) == served
        results = backend.client.post("/predict", json=captured.body("04")).json()["results"]
        assert {result["model_version"] for result in results} == {served}
    assert backend.client.get("/versions").json() == {"versions": [served, earlier]}


def test_two_events_in_a_second_do_not_collide(backend: Backend) -> None:
    for number in (1, 2, 3):
        assert backend.client.post("/webhook", json=annotated(number, number)).status_code == 200
    assert set(backend.store.annotations.of_project(KEY)) == {1, 2, 3}


def test_no_traceback_and_no_path_in_an_answer(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"secret place {__file__}")

    monkeypatch.setattr(Service, "setup", broken)
    monkeypatch.setattr(Service, "versions", broken)
    answers = [backend.client.post("/setup", json=captured.body("02")), backend.client.get("/versions")]
    for answer in answers:
        assert answer.status_code == 500
        assert set(answer.json()) == {"detail"}
        assert "Traceback" not in answer.text
        assert __file__ not in answer.text
        assert "secret place" not in answer.text


@pytest.mark.parametrize("body", [{}, {"action": "ANNOTATION_CREATED"}, {"project": {"id": 2}}, [], "x", None])
def test_a_malformed_webhook_is_a_clear_4xx(backend: Backend, body: Any) -> None:
    answer = backend.client.post("/webhook", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_a_request_without_the_secret_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, url_secrets=secrets(NEW)) as backend:
        assert backend.client.post("/predict", json=captured.body("03")).status_code == 401


def test_basic_auth_does_not_lose_annotation_events(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"basic_user": "ü", "basic_password": SecretStr("密"), "url_secrets": secrets(NEW)}
    with running(tmp_path, **settings) as backend:
        assert backend.client.post(f"/{NEW}/webhook", json=captured.body("24")).status_code == 200
        assert backend.client.get(f"/{NEW}/versions", headers=basic("ü", "密")).status_code == 200
        assert backend.client.get(f"/{NEW}/versions", headers=basic("ü", "错")).status_code == 401


def test_versions_are_answered_to_a_get(backend: Backend) -> None:
    version = backend.setup(captured.body("02"))
    assert backend.client.get("/versions").json() == {"versions": [version]}


@pytest.mark.parametrize(
    "extra", [None, {}, "", {"hello": "world"}, {"industry_keys": ["level1"]}, '{"industry_keys": "level1"}']
)
def test_extra_params_as_null_object_and_text(backend: Backend, extra: Any) -> None:
    assert backend.setup({**captured.body("02"), "extra_params": extra})


@pytest.mark.parametrize("extra", [{"industry": "level1"}, "text", 5, [1]])
def test_extra_params_that_mean_nothing_are_told(backend: Backend, extra: Any) -> None:
    body = {**captured.body("02"), "extra_params": extra}
    answer = backend.client.post("/setup", json=body, follow_redirects=True)
    assert answer.status_code == 400
    assert "industry_keys" in answer.json()["detail"]
    assert "industry_keys" in str(answer.url), "of an error Label Studio shows the URL"


def test_pictures_come_with_the_configured_token_from_data_upload(backend: Backend, studio: Any) -> None:
    backend.setup({**captured.body("02"), "hostname": "http://169.254.169.254"})
    answer = backend.client.post("/predict", json=captured.body("04")).json()
    assert all(result["result"] for result in answer["results"])
    backend.settle()
    assert {path.rpartition("/")[0] for path, _ in studio.requests} == {"/data/upload/2", "/api/projects/2"}
    assert {header for _, header in studio.requests} == {f"Token {studio.token}"}


def test_weights_are_loaded_once(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    from model import checkpoint

    loads = []
    load = checkpoint.load

    def counting(*args: Any, **more: Any) -> Any:
        loads.append(args)
        return load(*args, **more)

    monkeypatch.setattr(checkpoint, "load", counting)
    for _ in range(3):
        backend.setup(captured.body("02"))
        backend.client.post("/predict", json=captured.body("03"))
    assert len(loads) == 1


def test_several_processes_follow_the_same_version(tmp_path: Path) -> None:
    with running(tmp_path) as one, running(tmp_path) as two:
        body = captured.body("02")
        assert one.setup(body) == two.setup(body)
        new = next_version(one, 4)
        wait_for(new, one)
        wait_for(new, two)
        assert two.setup(body) == new


def test_setup_answers_with_the_version_as_text(backend: Backend) -> None:
    assert isinstance(backend.setup(captured.body("02")), str)


def test_a_version_that_a_training_publishes_has_a_new_name_and_serves(backend: Backend) -> None:
    first = backend.setup(captured.body("02"))
    current, project = backend.store.versions.current(KEY), backend.store.projects.get(KEY)
    lease = backend.store.leases.acquire(lease_name("train", KEY), "training", ttl=60)
    assert current
    assert project
    assert lease
    counts = {"gold_count": 1, "weak_count": 0}
    checkpoints = backend.settings.paths.checkpoints
    publisher = Publisher(checkpoints, 0.0, backend.store, project, lease, current, {}, counts)
    names = [first]
    for seed in (2, 3):
        tagger = cold(current.labels, seed)
        names.append(publisher.publish("base", tagger, Verdict(True, "better", {}), lambda _: None).version)
        wait_for(names[-1], backend)
        assert backend.setup(captured.body("02")) == names[-1]
        results = backend.client.post("/predict", json=captured.body("04")).json()["results"]
        assert {result["model_version"] for result in results} == {names[-1]}
    assert len(set(names)) == 3
    assert backend.client.get("/versions").json() == {"versions": names[::-1]}


def test_every_event_of_the_contract_is_taken(backend: Backend) -> None:
    for name in captured.NAMES:
        if "webhook" in name:
            assert backend.client.post("/webhook", json=captured.body(name)).status_code == 200, name


def test_booleans_in_the_environment_mean_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, wanted in (("false", False), ("0", False), ("true", True)):
        monkeypatch.setenv("TAGLOOM_ALLOW_OPEN", text)
        assert Settings().access.allow_open is wanted


class InThisProcess(SimpleWorker):
    """Does one job here. Its time limit needs no SIGALRM, which pytest's own limit uses."""

    death_penalty_class = TimerDeathPenalty


@pytest.mark.parametrize(
    "wake", [queue.wake_training, queue.wake_encoding, queue.wake_reconcile, queue.wake_predicting]
)
def test_each_job_has_a_time_limit_and_its_failure_is_kept(
    wake: Callable[[Settings, str], bool], tmp_path: Path, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TAGLOOM_HOME": tmp_path, "TAGLOOM_QUEUE": tmp_path.name, "REDIS_URL": valkey}.items():
        monkeypatch.setenv(name, str(value))
    settings = Settings()
    assert wake(settings, "default/9.9"), "of a project that is in no store: the job fails"
    redis = queue.redis_of(valkey)
    waiting = Queue(settings.work.queue, connection=redis, serializer="json")
    (job,) = waiting.jobs
    assert 0 < (job.timeout or 0) <= DAY_S
    assert 0 < (job.result_ttl or 0) <= DAY_S
    here = InThisProcess([waiting], connection=redis, serializer="json")
    assert not here.perform_job(job, waiting, here.prepare_execution(job))
    assert waiting.failed_job_registry.get_job_ids() == [job.id]
    failed = job.latest_result()
    assert failed
    assert "default/9.9 is not in" in (failed.exc_string or "")
    assert redis.ttl(job.key) >= DAY_S - 60


def test_label_studio_ml_and_its_sdk_live_beside_current_parts() -> None:
    installed = {
        name: importlib.metadata.version(name) for name in ("label-studio-ml", "label-studio-sdk", "flask", "rq")
    }
    assert installed["label-studio-ml"] == "1.0.9"
    assert int(installed["flask"].split(".")[0]) >= 3
    assert int(installed["rq"].split(".")[0]) >= 3
    json.dumps(installed)

"""One id for each request: on its log lines, in its answer, and on what it asks for behind the answer."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr
from redis import Redis
from rq import Queue

from tagloom_base.settings import Settings
from tests import captured
from tests.backend.parts import Backend, running
from worker import queue

GIVEN = "Root=1-67891233-abcdef012345678912345678"


def lines(caplog: pytest.LogCaptureFixture, text: str) -> list[dict[str, object]]:
    """The structured events with this text."""
    return [
        dict(record.msg) for record in caplog.records if isinstance(record.msg, dict) and record.msg["event"] == text
    ]


def test_an_id_is_taken_or_made_and_returned(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert backend.client.get("/versions", headers={"X-Request-ID": GIVEN}).headers["x-request-id"] == GIVEN
    assert lines(caplog, "answered")[-1]["request"] == GIVEN
    for odd in ("", "a b", "x" * 65, "-a", 'a"\\n', "é"):
        made = backend.client.get("/versions", headers={b"X-Request-ID": odd.encode("latin-1")}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)
        assert lines(caplog, "answered")[-1]["request"] == made


def test_refusals_and_errors_carry_it_too(
    backend: Backend, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backend.client.post("/predict", json={}).headers["x-request-id"]
    monkeypatch.setattr(backend.service, "versions", lambda _: 1 / 0)
    failed = backend.client.get("/versions")
    assert failed.status_code == 500
    (line,) = lines(caplog, "a request failed")
    assert line["request"] == failed.headers["x-request-id"]


def test_a_request_that_is_turned_away_has_one_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(tmp_path, url_secrets=(SecretStr("0123456789abcdef"),)) as guarded:
        refused = guarded.client.get("/versions", headers={"X-Request-ID": GIVEN})
    assert refused.status_code == 401
    assert refused.headers["x-request-id"] == GIVEN
    assert lines(caplog, "turned away")[-1]["request"] == GIVEN


def test_lines_name_project_version_and_annotation(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    version = backend.setup(captured.body("02"))
    line = lines(caplog, "answered")[-1]
    assert line["version"] == version
    project = str(line["project"])
    assert project.startswith("default/")
    # Of the same request, from another thread.
    assert lines(caplog, "a new project")[-1]["request"] == line["request"]
    backend.client.post("/predict", json=captured.body("04"))
    answered = lines(caplog, "answered")[-1]
    assert answered["version"] == version
    assert answered["request"] != line["request"]

    event = captured.body("10")
    backend.client.post("/webhook", json=event)
    told = lines(caplog, "answered")[-1]
    assert told["action"] == event["action"]
    assert told["annotations"] == [event["annotation"]["id"]]
    assert str(told["project"]).startswith("default/")
    backend.client.get("/versions")
    assert "annotations" not in lines(caplog, "answered")[-1], "the next request begins anew"


def test_a_job_knows_the_request_that_asked_for_it(valkey: str, backend: Backend) -> None:
    settings = Settings(home=backend.settings.paths.home, redis_url=valkey, queue="request-ids")
    connection = Redis.from_url(valkey)
    connection.flushall()
    waking = replace(backend.service._dependencies, train=lambda key: queue.wake_training(settings, key))
    backend.service._dependencies = waking
    name = backend.client.post("/webhook", json=captured.body("10")).headers["x-request-id"]
    backend.settle()
    (job,) = Queue("request-ids", connection=connection, serializer="json").jobs
    assert job
    assert job.meta[queue.ASKED_BY] == name
    structlog.contextvars.clear_contextvars()
    queue.wake_encoding(settings, "default/2.1")
    jobs = Queue("request-ids", connection=connection, serializer="json").jobs
    assert [one.meta[queue.ASKED_BY] for one in jobs if one] == [name, None]

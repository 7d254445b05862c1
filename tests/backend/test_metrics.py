"""/metrics: workers, queue and projects, fast with many projects, and no project of another Label Studio."""

import re
import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from backend import exposition
from tagloom_base.groups import ConnectionSettings
from tests.architecture import ROOT
from tests.backend.exported import exported
from tests.backend.parts import Backend, running
from worker.measures import JOB_FAILURES, JOB_SECONDS, Tally, one
from worker.outcome import Done
from worker.webhooks import MISSING, Trouble

SECRET, OTHER = "0123456789abcdef", "fedcba9876543210"
PROJECTS = 50


def scrape(backend: Backend, secret: str = "") -> str:
    answer = backend.client.get(f"/{secret}/metrics" if secret else "/metrics")
    assert answer.status_code == 200
    return answer.text


def value(text: str, sample: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{sample} ")]
    return float(line.rpartition(" ")[2])


def test_what_workers_measured_is_shown(backend: Backend) -> None:
    backend.store.projects.ensure("default/2.1", "<View/>")
    with Tally().job(backend.store, "train", "default/2.1") as job:
        job.end(Done("trained"))
    backend.store.measures.add(one(JOB_FAILURES, "train", "ValueError"))
    text = scrape(backend)
    labels = 'kind="train",outcome="done"'
    assert value(text, f'{JOB_SECONDS.name}_bucket{{kind="train",le="60",outcome="done"}}') == 1
    assert value(text, f'{JOB_SECONDS.name}_bucket{{kind="train",le="+Inf",outcome="done"}}') == 1
    assert value(text, f"{JOB_SECONDS.name}_count{{{labels}}}") == 1
    assert 0 < value(text, f"{JOB_SECONDS.name}_sum{{{labels}}}") < 60
    assert value(text, 'tagloom_job_failures_total{kind="train",reason="ValueError"}') == 1
    assert value(text, 'tagloom_reachable{part="database"}') == 1
    assert value(text, 'tagloom_reachable{part="queue"}') == 0, "no Redis here"
    assert "tagloom_workers" not in text


def test_projects_are_those_of_the_connection_that_asks(tmp_path: Path) -> None:
    further = {"shop": ConnectionSettings(url="http://127.0.0.1:1", url_secrets=(SecretStr(OTHER),))}
    with running(tmp_path, url_secrets=(SecretStr(SECRET),), connections=further) as backend:
        for key in ("default/2.1", "shop/2.1", "shop/3.1"):
            backend.store.projects.ensure(key, "<View/>")
        backend.store.projects.request_training("shop/2.1")
        backend.service.webhooks.troubles = {"shop/2.1": Trouble(MISSING, "add it")}
        one_text, other_text = scrape(backend, SECRET), scrape(backend, OTHER)
        assert "shop/" not in one_text
        assert "default/" not in other_text
        assert value(one_text, 'tagloom_gold_waiting{project="default/2.1"}') == 0
        assert value(other_text, 'tagloom_gold_waiting{project="shop/2.1"}') == 1
        assert value(other_text, 'tagloom_webhook_trouble{project="shop/2.1",reason="missing"}') == 1
        assert value(other_text, 'tagloom_webhook_trouble{project="shop/3.1",reason=""}') == 0
        assert backend.client.get(f"/{SECRET}/health").json()["degraded"] == []
        sick = backend.client.get(f"/{OTHER}/health")
        assert sick.status_code == 200
        assert sick.json()["status"] == "UP", "Label Studio and load balancers keep the backend"
        assert sick.json()["degraded"] == ["webhooks of 1 projects: missing (/status says which)"]
        assert backend.client.get("/health").json()["degraded"] == [], "a probe without credentials"
        (shown, _) = backend.client.get(f"/{OTHER}/status").json()["projects"]
        assert shown["webhook"] == "add it"


def test_a_scrape_is_fast_and_bounded_with_many_projects(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    config = "<View>" + "<Text name='t' value='$t'/>" * 1000 + "</View>"
    for number in range(PROJECTS):
        backend.store.projects.ensure(f"default/{number}.1", config)
        with Tally().job(backend.store, "train", f"default/{number}.1") as job:
            job.end(Done("trained"))
    scrape(backend)
    began = time.perf_counter()
    text = scrape(backend)
    assert time.perf_counter() - began < 1
    assert text.count("tagloom_gold_waiting{") == PROJECTS
    backend.store.projects.request_training("default/9.1")
    monkeypatch.setattr(exposition, "MOST_PROJECTS", 3)
    few = scrape(backend)
    assert few.count("tagloom_gold_waiting{") == 3
    assert 'tagloom_gold_waiting{project="default/9.1"} 1.0' in few


def test_without_the_database_the_rest_is_shown(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("", {}, Exception("away"))

    monkeypatch.setattr(backend.store.measures, "all", away)
    text = scrape(backend)
    assert value(text, 'tagloom_reachable{part="database"}') == 0
    assert "tagloom_requests_total" in text


def test_the_document_lists_each_metric_with_its_labels(tmp_path: Path, valkey: str) -> None:
    stems: dict[str, set[str]] = {}
    for name, labels in exported(tmp_path, valkey).items():
        stems.setdefault(re.sub(r"_(bucket|count|sum)$", "", name), set()).update(labels - {"le"})
    section = (ROOT / "docs" / "operate.md").read_text("utf-8").partition("### /metrics")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)(?:\{([\w,]+)\})?`", section, re.MULTILINE)
    assert {name: set(filter(None, labels.split(","))) for name, labels in told} == stems

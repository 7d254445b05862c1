"""A webhook that Label Studio has switched off: noticed within a minute, on again, and no label is lost."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from store.store import Store
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.e2e.conftest import Running
from tools.services.child import program

pytestmark = pytest.mark.e2e

NOTICED_SECONDS = 60
FETCHED_SECONDS = 60
TRAINED_SECONDS = 300


def test_a_webhook_that_is_off_is_switched_on_once_and_nothing_is_lost(running: Running) -> None:
    running.served_version()  # Label Studio has a version from this backend
    first, second, third = [task["id"] for task in running.tasks() if not task["annotations"]][:3]

    switch(running, on=False)
    lost = annotate(running, first)
    until(lambda: hook(running)["is_active"], seconds=NOTICED_SECONDS, every=1)
    until(lambda: lost in known(running), seconds=FETCHED_SECONDS, every=1)
    assert "was off and is switched on" in log(running, "backend")
    assert metric(running, "tagloom_webhooks_switched_on_total") == 1
    # The label was missed while the webhook was off: that says nothing about it now.
    until(lambda: health(running)["degraded"] == [], seconds=NOTICED_SECONDS, every=1)

    # Else the next label would be left to the training that runs.
    until(lambda: trained(running), seconds=TRAINED_SECONDS, every=1)
    before = metric(running, 'tagloom_webhooks_total{action="ANNOTATION_CREATED"}')
    told = annotate(running, second)
    assert metric(running, 'tagloom_webhooks_total{action="ANNOTATION_CREATED"}') == before + 1
    assert told in known(running), "durable before Label Studio has answered"
    (line,) = re.findall(rf".*answered.*annotations=\[{told}\].*", log(running, "backend"))
    (request,) = re.findall(r"request=(\w+)", line)
    assert "project=" in line
    # The same id leads on to the job that the label asked for.
    until(lambda: request in log(running, "worker"), seconds=FETCHED_SECONDS, every=1)

    # Off a second time within the hour: somebody means it.
    switch(running, on=False)
    until(lambda: "left off" in running.status()[0]["webhook"], seconds=NOTICED_SECONDS, every=1)
    answer = httpx.get(f"{running.backend_url}/health", timeout=10)
    assert answer.status_code == 200
    assert answer.json()["status"] == "UP"
    assert answer.json()["degraded"] == ["webhooks of 1 projects: left off (/status says which)"]
    assert running.served_version(), "Label Studio still takes the backend for connected"
    assert not hook(running)["is_active"]
    late = annotate(running, third)
    assert late not in known(running)
    (backend,) = running.api.call("GET", f"/api/ml/?project={running.project}")
    running.api.call("POST", f"/api/ml/{backend['id']}/train", json={})
    until(lambda: late in known(running), seconds=FETCHED_SECONDS, every=1)
    switch(running, on=True)
    until(lambda: health(running)["degraded"] == [], seconds=NOTICED_SECONDS, every=1)


def test_a_webhook_that_leads_elsewhere_is_told_and_its_labels_are_fetched(running: Running) -> None:
    own = hook(running)
    task = next(task["id"] for task in running.tasks() if not task["annotations"])
    path = f"/api/webhooks/{own['id']}/"
    running.api.call("PATCH", path, json={"url": "http://127.0.0.1:9/webhook", "actions": []})
    missed = annotate(running, task)
    until(lambda: "it has no webhook to this backend" in running.status()[0]["webhook"], NOTICED_SECONDS, every=1)
    assert health(running)["degraded"] == ["webhooks of 1 projects: missing (/status says which)"]
    environment = {**os.environ, "TAGLOOM_HOME": str(running.home)}
    doctor = subprocess.run([program("tagloom"), "doctor"], env=environment, capture_output=True, text=True)
    assert "gets no labels by webhook: it has no webhook to this backend" in doctor.stdout
    (backend,) = running.api.call("GET", f"/api/ml/?project={running.project}")
    running.api.call("POST", f"/api/ml/{backend['id']}/train", json={})
    until(lambda: missed in known(running), seconds=FETCHED_SECONDS, every=1)
    running.api.call("PATCH", path, json={"url": own["url"], "actions": []})
    until(lambda: health(running)["degraded"] == [], seconds=NOTICED_SECONDS, every=1)


def hook(running: Running) -> dict[str, Any]:
    (found,) = running.api.call("GET", f"/api/webhooks/?project={running.project}")
    return dict(found)


def switch(running: Running, *, on: bool) -> None:
    running.api.call("PATCH", f"/api/webhooks/{hook(running)['id']}/", json={"is_active": on, "actions": []})


def annotate(running: Running, task: int) -> int:
    """Submit the first label of the sample; the id of the annotation."""
    value = {"choices": [running.labels()[0]]}
    result = [{"id": "tags", "from_name": "elements", "to_name": "image", "type": "choices", "value": value}]
    made = running.api.call("POST", f"/api/tasks/{task}/annotations/", json={"result": result})
    return int(made["id"])


def known(running: Running) -> set[int]:
    """The annotations that Tagloom knows."""
    store = Store.open(Settings(home=running.home).paths.database)
    try:
        (project,) = store.projects.all()
        return {entry["id"] for entries in store.annotations.of_project(project.key).values() for entry in entries}
    finally:
        store.close()


def trained(running: Running) -> bool:
    """Whether all gold was trained on, and no training waits or runs."""
    told = log(running, "worker")
    begun, ended = told.count("tagloom: train "), told.count("Successfully completed train ")
    return running.status()[0]["behind"] == 0 and begun == ended > 0


def log(running: Running, name: str) -> str:
    return Path(running.home / "logs" / f"{name}.log").read_text("utf-8", "replace")


def metric(running: Running, name: str) -> float:
    text = httpx.get(f"{running.backend_url}/metrics", timeout=10).text
    found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def health(running: Running) -> dict[str, Any]:
    return dict(httpx.get(f"{running.backend_url}/health", timeout=10).json())

"""`tagloom init`, `train` and `export` against a real Label Studio: connected, proved by an event, imported again."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagloom.datasets.dataset import load
from tagloom_base.settings import Settings
from testing.waiting import until
from tests.architecture import ROOT
from tools.services.child import Child
from tools.services.ports import free_port
from tools.services.stack import Stack
from tools.up.account import Account
from tools.up.project import LabelStudio, ensure_project
from tools.up.server import START_SECONDS, answers, label_studio

pytestmark = pytest.mark.e2e

TASKS = 8
GOLD = 3
SECRET = "a-secret-of-the-url"
WORK_SECONDS = 300
DRAWN = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["LOGO"]}
# Commands of the guide that are not carried out, and why.
NOT_HERE = {"encoders fetch": "no model hub can be reached"}
# The pages whose commands are for a project that is connected.
GUIDES = ("operators", "search", "knowledge")
# What is typed where a command asks, and the code that it ends with. The encoders stay: all would be read anew. Nothing
# here is labelled as a gift for the kitchen.
TYPED = {"forget": ("y\n", 0), "encoders use": ("n\n", 1), "similar --text": ("", 1)}


@dataclass(frozen=True)
class Place:
    """Label Studio with a project that nobody has connected, a backend behind a URL secret, and a worker."""

    stack: Stack
    studio: Child
    api: LabelStudio
    account: Account
    project: int
    folder: Path

    def run(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command as its user does, in a shell with the backend's settings; its document."""
        environment = {**os.environ, **self.stack.environment, "TAGLOOM_URL_SECRETS": SECRET}
        command = [sys.executable, "-m", "tagloom.cli", *words, "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WORK_SECONDS)
        assert done.returncode == code, done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def webhooks(self) -> list[dict[str, Any]]:
        return list(self.api.call("GET", f"/api/webhooks/?project={self.project}"))

    def tasks(self, project: int) -> list[dict[str, Any]]:
        return list(self.api.call("GET", f"/api/tasks?project={project}&fields=all&page_size=100")["tasks"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("init")
    account = Account.of(home)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    access = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": account.token, "TAGLOOM_URL_SECRETS": SECRET}
    settings = Settings(home=home, port=free_port(), url_secrets=(SECRET,))
    with Stack(settings, access) as stack:
        studio = stack.start(label_studio(home, port, account))
        stack.start_queue()
        stack.start_backend()
        stack.start_worker()
        studio.wait_until(lambda: answers(url), seconds=START_SECONDS)
        api = LabelStudio(url, account.token)
        dataset = load(Path("samples/data"))
        project = ensure_project(api, dataset.samples[:TASKS], dataset.labels())
        yield Place(stack, studio, api, account, project, tmp_path_factory.mktemp("exported"))
        api.close()


def test_a_project_is_connected_and_proved_by_an_event(place: Place) -> None:
    until(lambda: json.loads(_health(place))["ready"], seconds=60)
    told = place.run("init", "Tagloom sam")
    assert told["changed"] == ["added the ML backend Tagloom"]
    assert told["notes"] == []
    assert set(told["controls"]) == {"elements", "boxes"}
    assert "taken for logo" in told["labels"]["LOGO"]
    assert 0 < told["event_seconds"] < 10
    (backend,) = place.api.call("GET", f"/api/ml/?project={place.project}")
    assert (backend["state"], backend["is_interactive"]) == ("CO", True)
    assert [hook["url"] for hook in place.webhooks()] == [f"{place.stack.backend_url}/{SECRET}/webhook"]
    status = place.run("status", told["project"])
    assert status["backend"]["answers"]
    assert status["projects"][0]["title"] == "Tagloom samples"


def test_a_second_run_changes_nothing(place: Place) -> None:
    before = place.webhooks()
    assert place.run("init", str(place.project))["changed"] == []
    assert place.webhooks() == before


def test_a_webhook_that_was_lost_or_spoilt_is_mended(place: Place) -> None:
    (hook,) = place.webhooks()

    def switch_off() -> None:
        place.api.call("PATCH", f"/api/webhooks/{hook['id']}/", json={"is_active": False, "url": hook["url"]})

    # The backend itself switches it on the first time, and leaves it off the second time.
    switch_off()
    until(lambda: place.webhooks()[0]["is_active"], seconds=120, every=1)
    switch_off()
    assert place.run("init", str(place.project))["changed"] == ["mended the webhook that is switched off"]
    place.api.call("DELETE", f"/api/webhooks/{hook['id']}/")
    assert place.run("init", str(place.project))["changed"] == ["added the webhook"]


def test_each_failure_names_its_fix(place: Place) -> None:
    away = place.run("init", str(place.project), "--url", f"http://127.0.0.1:{free_port()}", code=1)["error"]
    assert "Label Studio gets no good answer from the backend at" in away
    assert "health check failed" in away
    assert "has no project '999': choose one of these:" in place.run("init", "999", code=1)["error"]
    assert len(place.api.call("GET", f"/api/ml/?project={place.project}")) == 1, "what failed has left nothing"


def test_a_training_is_started_and_followed(place: Place) -> None:
    for task in place.tasks(place.project)[:GOLD]:
        region = {"from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "original_width": 400,
                  "original_height": 400, "image_rotation": 0, "value": DRAWN}  # fmt: skip
        tags = {"from_name": "elements", "to_name": "image", "type": "choices", "value": {"choices": ["LOGO"]}}
        place.api.call("POST", f"/api/tasks/{task['id']}/annotations/", json={"result": [tags, region]})
    told = place.run("train", str(place.project), "--wait")
    assert (told["done"], told["workers"]) == (True, 1)
    assert place.run("reconcile", str(place.project), "--wait")["done"]


def test_what_is_exported_can_be_imported(place: Place) -> None:
    out = place.folder / "tasks.json"
    told = place.run("export", str(place.project), "--format", "labelstudio", "--out", str(out))
    assert (told["tasks"], told["gold"], told["predicted"]) == (TASKS, GOLD, TASKS)
    body = {"title": "Imported", "label_config": _config(place)}
    copy = int(place.api.call("POST", "/api/projects/", json=body)["id"])
    with out.open("rb") as file:
        counted = place.api.call("POST", f"/api/projects/{copy}/import", files={"file": ("tasks.json", file)})
    assert (counted["task_count"], counted["annotation_count"], counted["prediction_count"]) == (TASKS, GOLD, TASKS)
    by_image = {task["data"]["image"]: task for task in place.tasks(copy)}
    for task in place.tasks(place.project):
        again = by_image[task["data"]["image"]]
        assert [one["result"] for one in again["annotations"]] == [one["result"] for one in task["annotations"]]
        assert again["predictions"][0]["result"]
        assert again["meta"]["tagloom"]["task"] == task["id"]


def test_the_commands_of_the_guides_are_carried_out_by_their_letter(place: Place) -> None:
    title = str(place.api.call("GET", f"/api/projects/{place.project}")["title"])
    versions = [one["version"] for one in place.run("versions", "--project", title)["projects"][0]["versions"]]
    copies = place.folder / "copies"
    text = "".join((ROOT / "docs" / f"{page}.md").read_text("utf-8") for page in GUIDES)
    told = [line.partition("  #")[0] for line in re.findall(r"^(?: {4}|\$ )?(tagloom .*)$", text, re.MULTILINE)]
    assert len(told) > 35
    environment = {**os.environ, **place.stack.environment, "TAGLOOM_URL_SECRETS": SECRET}
    known = {"NAME": title, "My project": title, "Tagloom samples": title, "v3": versions[0], "v2": versions[-1]}
    known |= {"photo.jpg": str(next((ROOT / "samples" / "data" / "images").iterdir()))}
    # Those that the guide names have to be fetched before.
    known |= {"torchvision:resnet50": "shipped", "bert-base-chinese": "shipped"}
    # The guide says to delete it in Label Studio first.
    goes = _deleted_project(place)
    for line in dict.fromkeys(told):
        _, *words = shlex.split(line)
        if any(line.startswith(f"tagloom {name}") for name in NOT_HERE):
            continue
        names = {**known, "NAME": goes} if words[0] == "forget" else known
        words = [names.get(word, word.replace("/var/backups", str(copies))) for word in words]
        typed, code = next((one for name, one in TYPED.items() if line.startswith(f"tagloom {name}")), ("", 0))
        done = subprocess.run(
            [sys.executable, "-m", "tagloom.cli", *words],
            env=environment, cwd=place.folder, input=typed, capture_output=True, text=True, timeout=WORK_SECONDS,
        )  # fmt: skip
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
    assert (copies / "tagloom" / "tagloom.db").exists()
    assert [one["title"] for one in place.run("versions")["projects"]] == [title], "the other one is forgotten"


def _deleted_project(place: Place) -> str:
    """Connect one more project, and delete it in Label Studio; return its title."""
    title = "Deleted"
    body = {"title": title, "label_config": _config(place)}
    number = int(place.api.call("POST", "/api/projects/", json=body)["id"])
    place.run("init", title)
    place.api.call("DELETE", f"/api/projects/{number}/")
    return title


def test_a_label_studio_that_calls_no_private_address_is_told(place: Place) -> None:
    """The same Label Studio, started as it comes: it refuses the address, and keeps nothing."""
    place.studio.stop()
    port = int(place.api.url.rsplit(":", 1)[1])
    strict = label_studio(place.stack.home, port, place.account)
    strict._environment = {**strict._environment, "ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"}
    place.stack.start(strict)
    strict.wait_until(lambda: answers(place.api.url), seconds=START_SECONDS)
    other = int(
        place.api.call("POST", "/api/projects/", json={"title": "Refused", "label_config": _config(place)})["id"]
    )
    refused = place.run("init", str(other), code=1)["error"]
    assert "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false" in refused
    assert place.api.call("GET", f"/api/ml/?project={other}") == []
    # What was connected before is called no more, for which Label Studio gives no reason.
    lost = place.run("init", str(place.project), code=1)["error"]
    assert "SSRF_PROTECTION_ENABLED=false" in lost


def _config(place: Place) -> str:
    (found,) = [one for one in place.api.call("GET", "/api/projects/")["results"] if one["id"] == place.project]
    return str(found["label_config"])


def _health(place: Place) -> bytes:
    return httpx.get(f"{place.stack.backend_url}/health", timeout=10).content

"""A real Label Studio at its strictest: no legacy tokens, Basic auth and a secret URL, its own validation on."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.service import NO_VERSION
from labelstudio.config import LabelConfig
from tagloom.datasets.dataset import load
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from tools.services.child import Child
from tools.services.ports import free_port
from tools.services.stack import Stack, healthy
from tools.up.account import Account
from tools.up.project import LabelStudio, ensure_project
from tools.up.server import START_SECONDS, answers, label_studio

pytestmark = pytest.mark.e2e

TASKS = 16
BUDGET = 1.5  # seconds of a /predict: too few for all pictures
WORKER_SECONDS = 240
LABEL_STUDIO_ML = (
    "import os; from werkzeug.serving import run_simple; from backend.label_studio_ml import server; "
    "from tagloom_base.settings import Settings; "
    "run_simple('127.0.0.1', int(os.environ['TAGLOOM_PORT']), server(Settings()), threaded=True)"
)
VALIDATION = "fflag_feat_utc_210_prediction_validation_15082025"


class StrictLabelStudio(LabelStudio):
    """Its API by a personal access token, the only kind that is left."""

    def __init__(self, url: str, personal_token: str) -> None:
        super().__init__(url, "")
        self._personal_token = personal_token

    def call(self, method: str, path: str, **body: Any) -> Any:
        refresh = {"refresh": self._personal_token}
        access = httpx.post(f"{self.url}/api/token/refresh", json=refresh, timeout=30).json()["access"]
        return super().call(method, path, headers={"Authorization": f"Bearer {access}"}, **body)


@dataclass(frozen=True)
class Guarded:
    """Label Studio and a backend that asks for a secret URL and for Basic auth. The worker is not started yet."""

    stack: Stack
    api: StrictLabelStudio
    account: Account
    project: int
    secret: str
    password: str

    @property
    def url(self) -> str:
        return f"{self.stack.backend_url}/{self.secret}"

    def connection(self, password: str) -> dict[str, Any]:
        """Body that connects the backend."""
        basic = {"auth_method": "BASIC_AUTH", "basic_auth_user": "studio", "basic_auth_pass": password}
        return {"project": self.project, "url": self.url, "title": "Tagloom", **basic}

    def ask(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", auth=("studio", self.password), timeout=30)

    def tasks(self) -> list[dict[str, Any]]:
        return list(self.api.call("GET", f"/api/tasks?project={self.project}&fields=all&page_size=1000")["tasks"])

    def versions(self) -> dict[int, list[str]]:
        return {task["id"]: [one["model_version"] for one in task["predictions"]] for task in self.tasks()}

    def log(self, name: str) -> str:
        return (self.stack.logs / f"{name}.log").read_text("utf-8", "replace")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    home = tmp_path_factory.mktemp("access")
    port, account = free_port(), Account.of(home)
    url, secret, password = f"http://127.0.0.1:{port}", secrets.token_urlsafe(24), secrets.token_urlsafe(12)
    with pytest.MonkeyPatch.context() as patch, Stack(Settings(home=home, port=free_port())) as stack:
        patch.setenv(VALIDATION, "true")
        server = stack.start(label_studio(home, port, account))
        server.wait_until(lambda: answers(url), seconds=START_SECONDS)
        personal_token = _only_personal_tokens(url, account)
        stack.environment |= {
            "LABEL_STUDIO_URL": url,
            "LABEL_STUDIO_API_KEY": personal_token,
            "TAGLOOM_URL_SECRETS": secret,
            "TAGLOOM_BASIC_USER": "studio",
            "TAGLOOM_BASIC_PASSWORD": password,
            "TAGLOOM_PREDICT_BUDGET": str(BUDGET),
        }
        stack.start_queue()
        stack.start_backend()
        api = StrictLabelStudio(url, personal_token)
        data = load(Path("samples/data"))
        project = ensure_project(api, list(data.samples)[:TASKS], data.labels())
        yield Guarded(stack, api, account, project, secret, password)
        api.close()


def _only_personal_tokens(url: str, account: Account) -> str:
    """Make a personal access token, then switch legacy tokens off."""
    api = LabelStudio(url, account.token)
    kinds = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
    api.call("POST", "/api/jwt/settings", json=kinds)
    token = str(api.call("POST", "/api/token/", json={})["token"])
    api.call("POST", "/api/jwt/settings", json={**kinds, "legacy_api_tokens_enabled": False})
    with pytest.raises(UserError, match="401"):
        api.call("GET", "/api/projects/")
    api.close()
    return token


def _until(condition: Callable[[], object], problem: Callable[[], str]) -> None:
    end = time.monotonic() + WORKER_SECONDS
    while not condition():
        assert time.monotonic() < end, problem()
        time.sleep(1)


def test_a_wrong_password_is_refused_where_it_is_typed(guarded: Guarded) -> None:
    with pytest.raises(UserError, match="authentication"):
        guarded.api.call("POST", "/api/ml/", json=guarded.connection("wrong"))
    for backend in guarded.api.call("GET", f"/api/ml/?project={guarded.project}"):
        guarded.api.call("DELETE", f"/api/ml/{backend['id']}")
    for webhook in guarded.api.call("GET", f"/api/webhooks/?project={guarded.project}"):
        guarded.api.call("DELETE", f"/api/webhooks/{webhook['id']}/")


def test_the_backend_connects_and_its_webhook_keeps_the_secret(guarded: Guarded) -> None:
    guarded.api.call("POST", "/api/ml/", json=guarded.connection(guarded.password))
    (backend,) = guarded.api.call("GET", f"/api/ml/?project={guarded.project}")
    assert backend["state"] == "CO", backend
    assert backend["model_version"].startswith("v0."), backend
    (webhook,) = guarded.api.call("GET", f"/api/webhooks/?project={guarded.project}")
    assert webhook["url"] == f"{guarded.url}/webhook"


def test_pictures_come_by_the_personal_token_and_late_ones_are_answered_fast(guarded: Guarded) -> None:
    path = f"/api/dm/actions?id=retrieve_tasks_predictions&project={guarded.project}"
    guarded.api.call("POST", path, json={"selectedItems": {"all": True, "excluded": []}})
    stored = guarded.versions()
    assert [len(versions) for versions in stored.values()] == [1] * TASKS, stored
    fast = [task for task, (version,) in stored.items() if version.endswith("+fast")]
    assert fast, f"all {TASKS} pictures were read and answered within {BUDGET} s"
    assert 'reason="fetch"' not in guarded.ask("/metrics").text, "no picture was refused"


def test_an_annotation_gets_through_and_strangers_do_not(guarded: Guarded) -> None:
    task = guarded.tasks()[0]
    config = LabelConfig.parse(guarded.api.call("GET", f"/api/projects/{guarded.project}/")["label_config"])
    tags = {"id": "t", "from_name": "elements", "to_name": "image", "type": "choices"}
    result = [{**tags, "value": {"choices": [config.labels[0]]}}]
    guarded.api.call("POST", f"/api/tasks/{task['id']}/annotations/", json={"result": result, "lead_time": 1.0})
    assert 'tagloom_webhooks_total{action="ANNOTATION_CREATED"} 1.0' in guarded.ask("/metrics").text
    (project,) = guarded.ask("/status").json()["projects"]
    assert project["behind"] >= 1, "new gold waits for a training"

    bare = guarded.stack.backend_url
    for address in (f"{bare}/versions", f"{bare}/{'x' * 32}/versions", f"{guarded.url}/versions"):
        assert httpx.get(address, timeout=30).status_code == 401, "without secret or password"
    assert httpx.get(f"{bare}/versions", auth=("studio", guarded.password), timeout=30).status_code == 401
    assert httpx.post(f"{bare}/webhook", json={"action": "X"}, timeout=30).status_code == 401


def test_the_worker_replaces_fast_predictions_in_place(guarded: Guarded) -> None:
    before = {task["id"]: {one["id"]: one["model_version"] for one in task["predictions"]} for task in guarded.tasks()}
    fast = {task for task, stored in before.items() if any(name.endswith("+fast") for name in stored.values())}
    guarded.stack.start_worker()
    _until(
        lambda: not any(name.endswith("+fast") for names in guarded.versions().values() for name in names),
        lambda: f"{guarded.versions()}\n{guarded.log('worker')[-3000:]}",
    )
    after = {task["id"]: task for task in guarded.tasks()}
    for task in fast:
        (stored,) = after[task]["predictions"]
        assert stored["id"] in before[task], "in place, for an annotator may have it open"
    kinds = {region["type"] for task in after.values() for one in task["predictions"] for region in one["result"]}
    assert kinds == {"choices", "rectanglelabels"}, "from the pictures, and Label Studio's own validation let them pass"


def test_label_studio_ml_serves_the_same_version(guarded: Guarded) -> None:
    """The engine behind label-studio-ml 1.0.9's own server, which knows neither secrets nor Basic auth."""
    port = free_port()
    environment = {**guarded.stack.environment, "TAGLOOM_PORT": str(port)}
    log = guarded.stack.logs / "label-studio-ml.log"
    command = [sys.executable, "-c", LABEL_STUDIO_ML]
    server = guarded.stack.start(Child("label-studio-ml", command, log=log, environment=environment))
    server.wait_until(lambda: healthy(f"http://127.0.0.1:{port}"), seconds=START_SECONDS)

    (own,) = guarded.api.call("GET", f"/api/ml/?project={guarded.project}")
    body = {"project": guarded.project, "url": f"http://127.0.0.1:{port}", "title": "label-studio-ml"}
    number = guarded.api.call("POST", "/api/ml/", json=body)["id"]
    there: dict[str, Any] = {}

    def is_ready() -> bool:
        there.update(guarded.api.call("GET", f"/api/ml/{number}"))
        return bool(there["model_version"])

    _until(is_ready, lambda: server.tail())
    assert there["state"] == "CO", there
    assert there["model_version"] == own["model_version"]
    answer: dict[str, Any] = {}

    def is_loaded() -> bool:
        """The version is known before the encoders are loaded."""
        (told,) = guarded.api.call("POST", f"/api/ml/{number}/predict/test?random=true")["response"]
        answer.update(told)
        return bool(answer["model_version"] != NO_VERSION)

    _until(is_loaded, lambda: server.tail())
    assert answer["model_version"] == own["model_version"]
    assert isinstance(answer["result"], list)
    guarded.api.call("DELETE", f"/api/ml/{number}")


def test_no_secret_is_in_any_log(guarded: Guarded) -> None:
    for name in ("backend", "worker"):
        log = guarded.log(name)
        for hidden in (guarded.secret, guarded.password, guarded.account.token):
            assert hidden not in log, name

"""Tagloom behind TLS and under a path prefix, in real processes."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from testing.label_studio.server import ThreadedServer
from tests import captured
from tests.backend.pages.office import ANNA, Accounts, form_token
from tests.backend.parts import NO_REDIS
from tests.backend.questions import TAGS
from tests.deploy import proxies
from tests.store import webhooks
from tests.web import certificate

SECRET = "7c1fd5d9e0a84d3db7a4"
PROXIES = {"nginx": proxies.nginx, "a few lines": proxies.plain}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROXIES)
def test_all_that_label_studio_asks_goes_through(name: str, tmp_path: Path) -> None:
    pem = certificate(tmp_path, host="localhost")
    trusted = ssl.create_default_context(cafile=str(pem))
    environment = {"TAGLOOM_URL_SECRETS": SECRET, "REDIS_URL": NO_REDIS, "LABEL_STUDIO_URL": ""}
    with (
        proxies.backend(tmp_path, environment) as (address, process),
        PROXIES[name](tmp_path, address, pem) as (url, logs),
        httpx.Client(verify=trusted, timeout=60) as client,
    ):

        def post(path: str, body: Any, secret: str = SECRET) -> httpx.Response:
            return client.post(f"{url}/{secret}/{path}", json=body)

        setup = {**captured.body("02"), "schema": TAGS}
        version = post("setup", setup).json()["model_version"]
        assert version.startswith("v0.")
        task: dict[str, Any] = {"id": 1, "data": {"title": "买一送一 赠品", "image": "/data/upload/2/1.png"}}
        asked = {"tasks": [task], "project": setup["project"], "label_config": TAGS}
        (result,) = post("predict", asked).json()["results"]
        assert result["result"], "the title alone gives an answer"
        event = webhooks.saved(webhooks.annotation(1, 1, 1), 1)
        assert post("webhook", event).status_code in (200, 201)
        assert client.get(f"{url}/{SECRET}/versions").json()["versions"]
        assert client.get(f"{url}/{SECRET}/status").json()["projects"]
        assert client.get(f"{url}/{SECRET}/health").json()["status"] == "UP"

        # The only link: Label Studio follows it and shows where it leads.
        answer = post("setup", {**setup, "schema": "<View/>"})
        assert answer.status_code == 303
        problem = answer.url.join(answer.headers["location"])
        assert str(problem).startswith(f"{url}/{SECRET}/setup/problem/")
        assert client.get(problem).status_code == 400

        large = {**asked, "tasks": [{**task, "data": {**task["data"], "more": "x" * 2_000_000}}]}
        assert post("predict", large).status_code == 200, "not refused by the proxy"
        assert post("predict", asked, secret="another").status_code == 401
        process.terminate()
        process.wait(60)
        if name == "nginx":
            assert post("predict", asked).status_code == 502
            assert client.get(f"{url}/{SECRET}/health").status_code == 502
        told = [path for path in logs.rglob("*.log") if SECRET in path.read_text("utf-8", "replace")]
        assert told == [], "the secret stays out of every log"


@pytest.mark.slow
def test_a_caller_behind_the_proxy_is_not_taken_for_this_machine(tmp_path: Path) -> None:
    pem = certificate(tmp_path, host="localhost")
    trusted = ssl.create_default_context(cafile=str(pem))
    with (
        proxies.backend(tmp_path, {"TAGLOOM_URL_SECRETS": SECRET, "REDIS_URL": NO_REDIS}) as (address, _),
        proxies.plain(tmp_path, address, pem) as (url, _),
        httpx.Client(verify=trusted, timeout=60) as client,
    ):
        assert client.get(f"{url}/health").status_code == 401
        assert httpx.get(f"{address}/health").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", PROXIES)
def test_the_pages_work_behind_the_proxy_by_https_alone(name: str, tmp_path: Path) -> None:
    pem = certificate(tmp_path, host="localhost")
    trusted = ssl.create_default_context(cafile=str(pem))
    studio = ThreadedServer(Accounts({ANNA: ("anna@shop.test", {1: "Shoes"})}).app())
    studio.start()
    environment = {"TAGLOOM_URL_SECRETS": SECRET, "REDIS_URL": NO_REDIS, "LABEL_STUDIO_URL": studio.url}
    with (
        proxies.backend(tmp_path, environment) as (address, _),
        PROXIES[name](tmp_path, address, pem) as (url, _),
        httpx.Client(verify=trusted, timeout=60, headers={"accept": "text/html"}, follow_redirects=True) as client,
    ):
        form = client.get(f"{url}/")
        assert str(form.url) == f"{url}/pages/sign-in"
        fields = {"form_token": form_token(form), "connection": "default", "token": ANNA}
        page = client.post(f"{url}/pages/sign-in", data=fields)
        assert str(page.url) == f"{url}/pages/"
        assert "anna@shop.test" in page.text
        (cookie,) = [one for one in client.cookies.jar if one.name == "tagloom_session"]
        assert (cookie.secure, cookie.path) == (True, "/tagloom/pages")
        assert client.get(f"{url}/pages/style.css").status_code == 200
    studio.stop()

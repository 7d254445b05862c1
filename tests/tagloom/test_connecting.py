"""`tagloom init` where something is wrong: each sentence names the fix. That it connects is shown in tests/e2e."""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from labelstudio.api import LabelStudioClient
from labelstudio.connection import Connection
from labelstudio.entry import Entry
from labelstudio.sites import connections_of
from store.store import Store
from tagloom import connecting
from tagloom.cli import main
from tagloom_base.errors import UserError
from tagloom_base.running import settings_in
from tagloom_base.settings import Settings
from testing.label_studio.writable import WritableLabelStudio
from tests.captured import CONFIG
from tests.web import served
from tools.services.ports import free_port

JSON = {"Content-Type": "application/json"}
ELSEWHERE = "http://studio.example"


@pytest.fixture
def environment(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if settings_in({name: ""})]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path))
    monkeypatch.setenv("TAGLOOM_PORT", str(free_port()))
    Store.open(Settings().paths.database).close()
    return monkeypatch


@pytest.fixture
def studio(environment: pytest.MonkeyPatch) -> Iterator[WritableLabelStudio]:
    studio = WritableLabelStudio(CONFIG, f"http://127.0.0.1:{os.environ['TAGLOOM_PORT']}")
    with studio:
        environment.setenv("LABEL_STUDIO_URL", studio.url)
        environment.setenv("LABEL_STUDIO_API_KEY", studio.token)
        yield studio


@contextmanager
def backend() -> Iterator[None]:
    """Something that answers as a backend of this home, and takes no event."""
    store = Store.open(Settings().paths.database)
    healthy = {"status": "UP", "ready": True, "database": store.identity(), "projects": []}
    store.close()
    with served(200, JSON, json.dumps(healthy).encode(), port=Settings().access.port):
        yield


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["init", *words])


def test_without_a_label_studio(environment: pytest.MonkeyPatch) -> None:
    done = run("2")
    assert done.exit_code == 1
    assert "set LABEL_STUDIO_URL to its address and LABEL_STUDIO_API_KEY to a token" in done.stderr


def test_a_refused_token(studio: WritableLabelStudio, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LABEL_STUDIO_API_KEY", "another-token")
    done = run("2", "--json")
    assert done.exit_code == 1
    assert "set LABEL_STUDIO_API_KEY to a valid personal or legacy token" in json.loads(done.stdout)["error"]


def test_an_unknown_project_or_connection(studio: WritableLabelStudio) -> None:
    assert "has no project '77': choose one of these: 2 Tagloom demo" in run("77").stderr
    assert "there is no connection 'mars': choose one of default" in run("mars/2").stderr


def test_a_config_that_cannot_be_answered(studio: WritableLabelStudio) -> None:
    studio.project.label_config = "<View><Text name='t' value='$t'/></View>"
    done = run("Tagloom d")
    assert done.exit_code == 1
    assert "the labelling config can't be answered: " in done.stderr
    assert "Settings → Labeling Interface" in done.stderr


def test_controls_that_are_left_out_are_told(studio: WritableLabelStudio) -> None:
    extra = '<Choices name="each" toName="image" perRegion="true"><Choice value="x"/></Choices></View>'
    studio.project.label_config = CONFIG.strip().removesuffix("</View>") + extra
    said = run("2").stdout
    assert "left to the annotator: " in said
    assert "each" in said
    assert "answered: " in said


def test_the_backend_is_away(studio: WritableLabelStudio) -> None:
    done = run("2")
    assert done.exit_code == 1
    assert "the backend can't be used: none answers at http://127.0.0.1:" in done.stderr
    assert "start `tagloom serve`" in done.stderr


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:9090", "ftp://host"])
def test_a_url_that_is_none_is_wrong_use(studio: WritableLabelStudio, url: str) -> None:
    done = run("2", "--url", url)
    assert done.exit_code == 2
    assert "is no address: write it as http://host:" in done.stderr


@pytest.mark.parametrize(("host", "more"), [("127.0.0.1", "set TAGLOOM_HOST"), ("0.0.0.0", "")])
def test_a_label_studio_elsewhere_needs_an_address(environment: pytest.MonkeyPatch, host: str, more: str) -> None:
    environment.setenv("LABEL_STUDIO_URL", ELSEWHERE)
    environment.setenv("TAGLOOM_HOST", host)
    environment.setenv("TAGLOOM_URL_SECRETS", "a-secret-of-the-url")
    (connection,) = connections_of(Settings().studios).values()
    with pytest.raises(UserError, match=f"runs elsewhere: .* by --url http://host:.*{more}"):
        connecting._address(Settings(), connection, "")
    assert connecting._address(Settings(), connection, "http://b:1/") == "http://b:1/a-secret-of-the-url"
    assert (
        connecting._address(Settings(), connection, "http://b/a-secret-of-the-url/") == "http://b/a-secret-of-the-url"
    )


def test_an_open_backend_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAGLOOM_HOST", "0.0.0.0")
    assert "set TAGLOOM_URL_SECRETS" in run("2").stderr


def test_of_several_label_studios_one_is_named(studio: WritableLabelStudio, environment: pytest.MonkeyPatch) -> None:
    further = {"second": {"url": studio.url, "token": studio.token, "url_secrets": ["a-secret-of-the-second"]}}
    environment.setenv("TAGLOOM_CONNECTIONS", json.dumps(further))
    assert "choose one of these projects: default/2 Tagloom demo, second/2 Tagloom demo" in run("2").stderr
    connection = connections_of(Settings().studios)["second"]
    assert connecting._address(Settings(), connection, "").endswith("/a-secret-of-the-second")


def test_an_event_that_does_not_arrive(studio: WritableLabelStudio, environment: pytest.MonkeyPatch) -> None:
    environment.setattr(connecting, "EVENT_S", 0.3)
    with backend():
        done = run("2")
    assert done.exit_code == 1
    assert "nothing to change: ML backend and webhook are there" in done.stdout
    assert "no event of Label Studio arrived within" in done.stderr
    assert "SSRF_PROTECTION_ENABLED=false" in done.stderr


def test_what_remains_to_be_done_in_label_studio_is_told(studio: WritableLabelStudio) -> None:
    own = Entry(studio.backend_url)
    studio.project.model_version = "of an import"
    with closing(LabelStudioClient(Connection(url=studio.url, token=SecretStr(studio.token)))) as client:
        (note,) = connecting._notes(client, 2, own)
        assert note == "choose Tagloom for the predictions in the project's Settings → Annotation"
        studio.project.model_version = "Tagloom"
        assert connecting._notes(client, 2, own) == []
        studio.backends.insert(0, {**studio.backend, "id": 1, "url": "http://other", "title": "Other"})
        (note,) = connecting._notes(client, 2, own)
        assert "asks only the first ML backend, which is Other: delete it" in note

"""The backend's entry in a project; refusals have the words of Label Studio 1.23.2, whose real one is in tests/e2e."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.connection import Connection
from labelstudio.entry import Entry, ensure
from tagloom_base.errors import UserError

URL = "http://127.0.0.1:9090/a-secret-of-the-url"
RESERVED = {"detail": "URL resolves to a reserved network address (block: 127.0.0.0/8)"}
UNREACHED = {
    "detail": "Validation error",
    "validation_errors": {"non_field_errors": [f"Can't connect to ML backend {URL}, <a href='x'>Learn more</a> here."]},
}


class Studio:
    """One project's ML backends and webhooks, as Label Studio keeps them; ``refusal`` answers each new backend."""

    def __init__(self) -> None:
        self.backends: list[dict[str, Any]] = []
        self.webhooks: list[dict[str, Any]] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.keeps_refused = False
        self.makes_webhook = True
        self.written: list[str] = []

    def client(self) -> LabelStudioClient:
        client = LabelStudioClient(Connection(url="http://studio.test", token=SecretStr("a-token-of-somebody")))
        client._http.close()
        client._http = httpx.Client(transport=httpx.MockTransport(self._answer))
        return client

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        if request.method != "GET":
            self.written.append(f"{request.method} {request.url.path}")
        match request.method, request.url.path.strip("/").split("/"):
            case "GET", ["api", "ml"]:
                return httpx.Response(200, json=self.backends)
            case "GET", ["api", "webhooks"]:
                return httpx.Response(200, json=self.webhooks)
            case "POST", ["api", "ml"]:
                return self._added(body)
            case "POST", ["api", "webhooks"]:
                self.webhooks.append({"id": len(self.webhooks) + 1, "actions": [], **body})
                return httpx.Response(201, json=self.webhooks[-1])
            case "PATCH", ["api", "ml" | "webhooks" as kind, number]:
                held = self.backends if kind == "ml" else self.webhooks
                (one,) = [entry for entry in held if entry["id"] == int(number)]
                one.update(body)
                return httpx.Response(200, json=one)
            case "DELETE", ["api", "ml", number]:
                self.backends = [one for one in self.backends if one["id"] != int(number)]
                return httpx.Response(204)
        return httpx.Response(404, json={"detail": "Not found."})

    def _added(self, body: dict[str, Any]) -> httpx.Response:
        made = {"id": len(self.backends) + 1, "state": "CO", "auth_method": "NONE", "basic_auth_user": "", **body}
        if self.refusal is None or self.keeps_refused:
            self.backends.append(made)
        if self.refusal:
            return httpx.Response(self.refusal[0], json=self.refusal[1])
        if self.makes_webhook:
            self.webhooks.append(
                {
                    "id": 1, "url": f"{body['url']}/webhook", "is_active": True, "send_payload": True,
                    "send_for_all_actions": True, "headers": {}, "actions": [],
                }
            )  # fmt: skip
        return httpx.Response(201, json=made)


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def client(studio: Studio) -> Iterator[LabelStudioClient]:
    client = studio.client()
    yield client
    client.close()


def test_an_empty_project_gets_backend_and_webhook(studio: Studio, client: LabelStudioClient) -> None:
    assert ensure(client, 2, Entry(URL)) == ["added the ML backend Tagloom"]
    (backend,) = studio.backends
    assert (backend["url"], backend["project"], backend["is_interactive"]) == (URL, 2, True)
    assert [hook["url"] for hook in studio.webhooks] == [f"{URL}/webhook"]


def test_a_second_run_changes_nothing(studio: Studio, client: LabelStudioClient) -> None:
    ensure(client, 2, Entry(URL))
    studio.written.clear()
    assert ensure(client, 2, Entry(URL + "/")) == []
    assert studio.written == []


def test_a_webhook_that_label_studio_did_not_make_is_made(studio: Studio, client: LabelStudioClient) -> None:
    studio.makes_webhook = False
    assert ensure(client, 2, Entry(URL)) == ["added the ML backend Tagloom", "added the webhook"]
    (hook,) = studio.webhooks
    assert hook["send_payload"]
    assert hook["send_for_all_actions"]


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"is_active": False}, "mended the webhook that is switched off"),
        ({"send_payload": False}, "mended the webhook that sends no payload"),
        (
            {"send_for_all_actions": False, "actions": ["TASKS_CREATED", "ANNOTATION_CREATED", "ANNOTATION_UPDATED"]},
            "mended the webhook without ANNOTATIONS_DELETED",
        ),
    ],
)
def test_a_spoilt_webhook_is_mended(
    studio: Studio, client: LabelStudioClient, spoilt: dict[str, Any], said: str
) -> None:
    ensure(client, 2, Entry(URL))
    studio.webhooks[0] |= {**spoilt, "headers": {"X-Own": "kept"}}
    assert ensure(client, 2, Entry(URL)) == [said]
    assert studio.webhooks[0]["headers"] == {"X-Own": "kept"}
    assert ensure(client, 2, Entry(URL)) == []


def test_credentials_are_given_and_changed(studio: Studio, client: LabelStudioClient) -> None:
    ensure(client, 2, Entry(URL))
    guarded = Entry(URL, "studio", SecretStr("swordfish"), SecretStr("of-the-webhook"))
    changed = ensure(client, 2, guarded)
    assert changed == [
        "changed the ML backend's user and password",
        "mended the webhook without the header of TAGLOOM_WEBHOOK_SECRET",
    ]
    (backend,), (hook,) = studio.backends, studio.webhooks
    assert backend["auth_method"] == "BASIC_AUTH"
    assert (backend["basic_auth_user"], backend["basic_auth_pass"]) == ("studio", "swordfish")
    assert hook["headers"] == {"Authorization": "Bearer of-the-webhook"}
    assert ensure(client, 2, guarded) == []


def test_a_refused_private_address_names_the_two_settings(studio: Studio, client: LabelStudioClient) -> None:
    studio.refusal, studio.keeps_refused = (403, RESERVED), True
    with pytest.raises(UserError, match=r"ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false"):
        ensure(client, 2, Entry(URL))
    assert studio.backends == [], "what the refusal has left is taken away"


def test_an_unreachable_address_is_told_with_the_reason(studio: Studio, client: LabelStudioClient) -> None:
    studio.refusal = (400, UNREACHED)
    with pytest.raises(
        UserError, match=r"by --url, and let a firewall pass it. Its reason: Can't connect .*Learn more here"
    ):
        ensure(client, 2, Entry(URL))


def test_a_backend_that_has_become_unreachable_is_told(studio: Studio, client: LabelStudioClient) -> None:
    ensure(client, 2, Entry(URL))
    studio.backends[0] |= {"state": "DI", "error_message": "connection refused"}
    with pytest.raises(UserError, match=r"gets no good answer .*: connection refused"):
        ensure(client, 2, Entry(URL))


def test_a_backend_that_is_not_called_any_more_is_told(studio: Studio, client: LabelStudioClient) -> None:
    ensure(client, 2, Entry(URL))
    studio.backends[0] |= {"state": "DI", "error_message": None}
    with pytest.raises(UserError, match="if the address is private, start Label Studio with ML_BLOCK_LOCAL_IP=false"):
        ensure(client, 2, Entry(URL))


def test_a_user_without_rights_is_told(studio: Studio, client: LabelStudioClient) -> None:
    studio.refusal = (403, {"detail": "You do not have permission to perform this action."})
    with pytest.raises(LabelStudioError, match="give the user of LABEL_STUDIO_API_KEY the right to it"):
        ensure(client, 2, Entry(URL))

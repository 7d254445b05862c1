import hmac
import http.client
import io
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.access import Guards, is_loopback
from tagloom_base import logs
from tagloom_base.errors import UserError
from tagloom_base.groups import ConnectionSettings
from tagloom_base.settings import Settings
from testing.label_studio.server import ThreadedServer
from tests import captured
from tests.backend.credentials import NEW, OLD, basic, secrets
from tests.backend.parts import Backend, running

PATHS = [
    ("GET", "/health"),
    ("POST", "/setup"),
    ("POST", "/predict"),
    ("GET", "/versions"),
    ("GET", "/status"),
    ("GET", "/metrics"),
]


def guards_of(settings: Settings) -> Guards:
    return Guards.of(settings.access, settings.studios)


def test_old_and_new_secret_both_count_and_others_do_not(tmp_path: Path) -> None:
    with running(tmp_path, url_secrets=secrets(OLD, NEW)) as backend:
        for method, path in PATHS:
            for secret, wanted in ((OLD, True), (NEW, True), ("wrong-secret-01234567", False), ("", False)):
                status = backend.client.request(method, f"/{secret}{path}" if secret else path, json={}).status_code
                probe = path == "/health" and not secret  # a container's own check, from loopback
                assert (status not in (401, 404)) == (wanted or probe), (path, secret, status)


def test_annotation_webhooks_are_guarded_by_the_secret_prefix(tmp_path: Path) -> None:
    body = captured.body("24")
    with running(tmp_path, url_secrets=secrets(NEW), basic_user="u1", basic_password=SecretStr("p1")) as backend:
        assert backend.client.post(f"/{NEW}/webhook", json=body).status_code == 200, "no Authorization header, as sent"
        assert backend.client.post("/webhook", json=body).status_code == 401
        assert backend.client.post("/webhook", json=body, headers=basic("u1", "p1")).status_code == 200
        assert backend.client.post(f"/{NEW}/setup", json=captured.body("22")).status_code == 401, (
            "Basic auth is asked too"
        )
        answer = backend.client.post(f"/{NEW}/setup", json=captured.body("22"), headers=basic("u1", "p1"))
        assert answer.status_code == 200


def test_a_webhooks_header_counts_instead(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "basic_user": "u1",
        "basic_password": SecretStr("p1"),
        "webhook_secret": SecretStr("hook"),
    }
    with running(tmp_path, **settings) as backend:
        body = captured.body("25")
        assert backend.client.post("/webhook", json=body, headers={"Authorization": "Bearer hook"}).status_code == 200
        assert backend.client.post("/webhook", json=body, headers={"Authorization": "Bearer other"}).status_code == 401
        assert backend.client.post("/predict", json={}, headers={"Authorization": "Bearer hook"}).status_code == 401


def test_credentials_of_any_characters_are_compared(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"basic_user": "标注", "basic_password": SecretStr("密码ü"), "url_secrets": secrets(NEW)}
    with running(tmp_path, **settings) as backend:
        path = f"/{NEW}/versions"
        assert backend.client.get(path, headers=basic("标注", "密码ü")).status_code == 200
        for header in ("Basic", "Basic ???", "Basic 5qCH", "Bearer x", "", "basic " + "A" * 5000):
            assert backend.client.get(path, headers={"Authorization": header}).status_code == 401


def test_secrets_name_the_connection(tmp_path: Path) -> None:
    further = {"shop": ConnectionSettings(url="http://127.0.0.1:1", url_secrets=secrets(OLD))}
    with running(tmp_path, connections=further) as backend:
        backend.service.engine.result(20)
        backend.client.post("/setup", json=captured.body("02"))
        backend.client.post(f"/{OLD}/setup", json=captured.body("02"))
        keys = [project.key for project in backend.store.projects.all()]
        assert keys == [captured.PROJECT, captured.PROJECT.replace("default", "shop")]
        assert backend.client.get("/status").json()["projects"][0]["project"].startswith("default/")
        shown = backend.client.get(f"/{OLD}/status").json()["projects"]
        assert [entry["project"].split("/")[0] for entry in shown] == ["shop"], "nothing of the other connection"


def test_no_secret_in_logs_or_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with running(tmp_path, url_secrets=secrets(NEW)) as backend:
        backend.service.engine.result(20)
        answers = [
            backend.client.post(f"/{NEW}/setup", json=captured.body("02") | {"access_token": "legacy-token-0815"}),
            backend.client.post(f"/{NEW}/setup", json={"access_token": "legacy-token-0815"}),
            backend.client.post(f"/{NEW}/predict", json={"tasks": 5, "params": {"password": "legacy-token-0815"}}),
            backend.client.post(f"/{NEW}/webhook", json=captured.body("10")),
            backend.client.get(f"/{NEW}/nothing"),
        ]
        backend.settle()
    out, err = capsys.readouterr()
    logged = [
        record.getMessage() for record in caplog.records if not record.name.startswith("httpx")
    ]  # the client's own
    seen = out + err + "".join(logged) + "".join(answer.text for answer in answers)
    for secret in (NEW, "legacy-token-0815", "PROJECT_TOKEN"):
        assert secret not in seen


def test_too_large_bodies_are_not_read(tmp_path: Path) -> None:
    with running(tmp_path, max_request_bytes=1000) as backend:
        assert backend.client.post("/predict", content=b" " * 2000).status_code == 413


@pytest.mark.parametrize(("path", "part"), [("/predict", "03"), ("/setup", "02"), ("/webhook", "24")])
def test_a_chunked_body_is_counted_while_it_comes(tmp_path: Path, path: str, part: str) -> None:
    """Over a real connection: only there does a body come in chunks, and without its length."""
    body = json.dumps(captured.body(part)).encode()
    with running(tmp_path, max_request_bytes=len(body) + 1000) as backend, served(backend) as port:
        backend.service.engine.result(20)
        fits, over = (in_chunks(port, path, body + b" " * blanks) for blanks in (999, 1001))
        assert (fits, over) == (200, 413)


def test_a_chunked_body_without_end_is_answered(tmp_path: Path) -> None:
    with (
        running(tmp_path, max_request_bytes=1000) as backend,
        served(backend) as port,
        socket.create_connection(("127.0.0.1", port), 20) as client,
    ):
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"3e9\r\n" + b" " * 1001 + b"\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")


@contextmanager
def served(backend: Backend) -> Iterator[int]:
    """The port at which a real server serves it."""
    server = ThreadedServer(backend.app)
    server.start()
    try:
        yield int(server.url.rpartition(":")[2])
    finally:
        server.stop()


def in_chunks(port: int, path: str, body: bytes) -> int:
    """Status of the answer to a body that is sent in small chunks."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    parts = (body[start : start + 300] for start in range(0, len(body), 300))
    client.request("POST", path, parts, {"Content-Type": "application/json"}, encode_chunked=True)
    status = client.getresponse().status
    client.close()
    return status


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"host": "0.0.0.0"}, "TAGLOOM_ALLOW_OPEN"),
        ({"host": "::"}, "TAGLOOM_ALLOW_OPEN"),
        ({"host": "backend.local"}, "TAGLOOM_ALLOW_OPEN"),
        ({"basic_user": "u"}, "TAGLOOM_BASIC_PASSWORD"),
        ({"basic_password": SecretStr("p")}, "TAGLOOM_BASIC_USER"),
        ({"basic_user": "u", "basic_password": SecretStr("p")}, "TAGLOOM_WEBHOOK_SECRET"),
        ({"url_secrets": secrets("short")}, "token_urlsafe"),
        ({"url_secrets": secrets("with/slash/0123456789")}, "token_urlsafe"),
    ],
)
def test_settings_that_leave_the_backend_open_or_deaf_are_refused(settings: dict[str, Any], advice: str) -> None:
    with pytest.raises(UserError, match=advice):
        guards_of(Settings(**settings))


def test_settings_that_are_safe() -> None:
    guards_of(Settings(host="127.0.0.1"))
    guards_of(Settings(host="0.0.0.0", allow_open=True))
    guards_of(Settings(host="0.0.0.0", url_secrets=secrets(NEW)))


@pytest.mark.parametrize(
    ("host", "loopback"), [("localhost", True), ("127.0.0.2", True), ("::1", True), ("10.0.0.1", False), ("", False)]
)
def test_only_addresses_of_this_machine_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_every_secret_is_compared_and_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    whole = hmac.compare_digest

    def noting(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return whole(one, other)

    password = {"basic_user": "u", "basic_password": SecretStr("p"), "webhook_secret": SecretStr("hook")}
    guards = guards_of(Settings(url_secrets=secrets(OLD, NEW), **password))
    monkeypatch.setattr(hmac, "compare_digest", noting)
    for part in (OLD, NEW, "wrong", "ü\udcff"):
        compared.clear()
        assert (guards.connection(part) == "default") == (part in (OLD, NEW))
        assert len(compared) == 2, "also after the first one fits"
    compared.clear()
    guards.admits("/predict", "default", basic("u", "p")["Authorization"].encode())
    guards.admits("/webhook", None, b"Bearer hook")
    assert {b"u:p", b"Bearer hook"} <= {other for _, other in compared}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is written by the log as in production."""
    root, written = logging.getLogger(), io.StringIO()
    before = root.handlers
    logs.configure()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    root.handlers = before


def test_a_secret_behind_a_prefix_is_not_logged_and_the_remedy_is(tmp_path: Path, log: io.StringIO) -> None:
    replaced = "a-secret-of-yesterday"
    with running(tmp_path, url_secrets=secrets(NEW)) as backend:
        for path in (f"/tagloom/{NEW}/predict", f"/{NEW[:-1]}/predict", f"/{replaced}/predict", f"/x/%2561{NEW}"):
            assert backend.client.post(path, json={}).status_code == 401
        assert backend.client.get("/" + "y" * 30_000 + "/" + "ab/" * 9_000).status_code == 401
    # The client is the test's own; it tells what it asks for.
    said = "\n".join(line for line in log.getvalue().splitlines() if "HTTP Request: " not in line)
    assert "let the proxy take the prefix off" in said
    assert "/***/predict" in said
    for secret in (NEW, NEW[:-1], replaced):
        assert secret not in said
    assert max(map(len, said.splitlines())) < 3_000


@pytest.mark.parametrize("path", ["/predict/", "//predict", "/versions/", "/webhook//", "/health/", "/nothing/"])
def test_no_answer_leads_where_the_host_header_says(tmp_path: Path, path: str) -> None:
    with running(tmp_path, url_secrets=secrets(NEW)) as backend:
        for method in ("GET", "POST"):
            answer = backend.client.request(
                method, f"/{NEW}{path}", json={}, headers={"Host": "evil.example"}, follow_redirects=False
            )
            right = backend.client.request(method, f"/{NEW}/{path.strip('/')}", json={})
            assert answer.status_code == right.status_code
            assert "evil.example" not in str(answer.headers) + answer.text


@pytest.mark.parametrize("path", ["/setup", "/setup/"])
def test_the_words_on_a_bad_config_are_found_from_either_address(tmp_path: Path, path: str) -> None:
    with running(tmp_path, url_secrets=secrets(NEW)) as backend:
        backend.service.engine.result(20)
        body = captured.body("02") | {"schema": "<View><Text name='t' value='$t'/></View>"}
        answer = backend.client.post(f"/{NEW}{path}", json=body, headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert f"/{NEW}/setup/problem/" in str(answer.url)


@pytest.mark.parametrize("path", ["/predict", "/predict/", "//predict", "/versions/", "/status/", "/metrics//"])
def test_slashes_open_nothing(tmp_path: Path, path: str) -> None:
    with running(tmp_path, url_secrets=secrets(NEW), webhook_secret=SecretStr("hook-secret")) as backend:
        assert backend.client.request("GET", path, headers={"Authorization": "Bearer hook-secret"}).status_code == 401

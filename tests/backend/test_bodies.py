"""Bodies of every size and shape: answered soon, and nobody else waits for them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx2 import Response

from backend import bodies
from backend.schemas import MOST_DRAWN, MOST_TASKS
from tests import captured
from tests.backend.parts import Backend, running

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running(tmp_path_factory.mktemp("bodies")) as made:
        made.service.engine.result(20)
        yield made


def send(backend: Backend, body: bytes, path: str = "/predict") -> Response:
    return backend.client.post(path, content=body, headers=JSON)


def tasks(count: int, entry: bytes) -> bytes:
    """A /predict with so many of these for tasks."""
    return b'{"project":"2.1","tasks":[' + b",".join([entry] * count) + b"]}"


@contextmanager
def health_goes_on(backend: Backend, seconds: float) -> Iterator[None]:
    """No answer of /health takes longer meanwhile, nor the block more than five times that, of this process's own time.

    On a busy machine others have most of the time: what is waited is held against what we got.
    """
    waits: list[float] = []
    over = threading.Event()
    began, spent = time.monotonic(), time.process_time()

    def ask() -> None:
        while not over.wait(0.02) or not waits:
            asked = time.monotonic()
            assert backend.client.get("/health").status_code == 200
            waits.append(time.monotonic() - asked)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    spent = time.process_time() - spent
    assert spent < 5 * seconds
    assert max(waits) < seconds * max(1.0, (time.monotonic() - began) / spent)


LARGE = {
    "lists": tasks(3_000_000, b"[]"),
    "few lists": tasks(900_000, b"[]"),
    "objects": tasks(1_500_000, b"{}"),
    "objects in objects": tasks(700_000, b'{"a":{}}'),
    "numbers": tasks(5_000_000, b"1"),
    "texts": tasks(3_000_000, b'""'),
    "one text": b'{"tasks":"' + b"\\u4e2d" * 4_000_000 + b'"}',
    "brackets in a text": b'{"tasks":"' + b"[" * 20_000_000 + b'"}',
    "names": b"{" + b",".join(b'"%d":1' % number for number in range(900_000)) + b"}",
    "predictions": tasks(1, b'{"id":1,"predictions":[' + b",".join([b"{}"] * 900_000) + b"]}"),
    "drawn": b'{"project":"2.1","tasks":[{}],"params":{"context":{"result":[' + b",".join([b"{}"] * 900_000) + b"]}}}",
    "deep": b'{"tasks":' + b"[" * 1_900_000 + b"]" * 1_900_000 + b"}",
    "deep but readable": tasks(9_000, b"[" * 150 + b"]" * 150),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_odd_body_is_told_soon_and_health_goes_on(backend: Backend, name: str) -> None:
    with health_goes_on(backend, 2):
        answer = send(backend, LARGE[name])
    assert answer.status_code in (200, 413, 422), answer.text[:500]
    assert len(answer.content) < 2_000


DRAWN = b'{"project":"2.1","tasks":[{}],"params":{"context":{"result":[1,2,3,4,5,6,7,8,9]}}}'


@pytest.mark.parametrize(
    ("path", "body"), [("/predict", DRAWN), ("/setup", tasks(1_000, b"[]")), ("/webhook", tasks(1_000, b"[]"))]
)
def test_only_the_first_fault_is_told(backend: Backend, path: str, body: bytes) -> None:
    answer = send(backend, body, path)
    assert answer.status_code == 422
    assert answer.json()["detail"].count("result") <= 1
    assert len(answer.text) < 500


def test_what_label_studio_sends_at_once_fits(backend: Backend) -> None:
    """All selected tasks come in one request; 257 of them were 184 kB."""
    body = captured.body("04")
    entry = body["tasks"][0]
    region = {"id": "abcdefghij", "type": "choices", "value": {"choices": ["LOGO"]}, "from_name": "elements"}
    entry["data"] = {}
    entry["predictions"] = [{"model_version": "v1", "result": [region] * 10, "score": 0.5}] * 3
    body["tasks"] = [entry | {"id": number} for number in range(1, 1_001)]
    assert len(send(backend, json.dumps(body).encode()).json()["results"]) == 1_000


@pytest.mark.slow
def test_an_annotation_with_very_many_regions_is_kept(backend: Backend) -> None:
    body = captured.body("10")
    (region,) = [entry for entry in body["annotation"]["result"] if entry["type"] == "rectanglelabels"][:1]
    body["annotation"]["result"] = [region | {"id": str(number)} for number in range(100_000)]
    sent = json.dumps(body).encode()
    with health_goes_on(backend, 3):
        answer = send(backend, sent, "/webhook")
    assert answer.status_code == 200, answer.text
    (kept,) = backend.store.annotations.of_project(captured.PROJECT)[1]
    assert len(kept["result"]) == 100_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b"1" * 5_000, 422),
        (b"[" * 60_000, 422),
        (b"null", 422),
        (tasks(MOST_TASKS + 1, b"{}"), 422),
        (b'{"tasks":[],"project":"2.1","label_config":"' + b"[" * (bodies.MOST_VALUES + 1) + b'"}', 413),
    ],
)
def test_a_body_that_cannot_be_used_is_told(backend: Backend, body: bytes, status: int) -> None:
    answer = send(backend, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_a_route_has_its_own_limit_and_the_setting_holds_for_all(tmp_path: Any) -> None:
    long = b'{"schema":"' + b" " * bodies.SETUP_BYTES + b'"}'
    with running(tmp_path) as open_one:
        answer = send(open_one, long, "/setup")
        assert answer.status_code == 413
        assert f"{bodies.SETUP_BYTES:,}" in answer.json()["detail"]
    with running(tmp_path, max_request_bytes=1_000) as strict:
        for path in ("/setup", "/predict", "/webhook"):
            assert send(strict, long[:2_000], path).status_code == 413


def test_more_drawn_regions_than_anybody_draws_are_refused(backend: Backend) -> None:
    body = captured.body("07")
    body["params"]["context"]["result"] = [{}] * (MOST_DRAWN + 1)
    assert send(backend, json.dumps(body).encode()).status_code == 422

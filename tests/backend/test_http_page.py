"""docs/http.md: each path of the backend has an example there, and is answered as the example says."""

import json
import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

import worker.workplace
from backend.routes import ROUTER
from tests.architecture import ROOT
from tests.backend.parts import Backend
from worker.search import filling
from worker.watch import NeverEnds
from worker.workplace import open_workplace

PAGE = (ROOT / "docs" / "http.md").read_text("utf-8")
ANY = "…"


def examples() -> list[tuple[str, str, Any, str]]:
    """Method, path and body of each request, and its reply."""
    asked = r"```http\n([A-Z]+) (\S+)\n(?:\n(.*?))?```\n\n```(?:json|text)\n(.*?)```"
    found = re.findall(asked, PAGE, re.DOTALL)
    return [(method, path, json.loads(body) if body else None, reply) for method, path, body, reply in found]


def agrees(told: Any, held: Any) -> bool:
    """Whether an answer is as the page tells it: ``…`` stands for any value, as a key for any further keys."""
    if told == ANY:
        return True
    if isinstance(told, dict) and isinstance(held, dict):
        keys = told.keys() - {ANY}
        return (ANY in told or keys == held.keys()) and all(
            key in held and agrees(told[key], held[key]) for key in keys
        )
    if isinstance(told, list) and isinstance(held, list):
        return len(told) == len(held) and all(map(agrees, told, held))
    if isinstance(told, float) and isinstance(held, float):
        return abs(told - held) < 0.01
    return bool(told == held) and type(told) is type(held)


def fill(backend: Backend) -> None:
    """Let a worker's job make items findable whose pictures the backend has read."""
    backend.settle()
    with open_workplace(backend.settings) as workplace:
        for project in workplace.store.projects.all():
            filling.fill(workplace, project, NeverEnds())


def test_each_request_is_answered_as_the_page_says(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", lambda _: backend.encoders)
    backend.service.engine.result(20)
    assert len(examples()) == PAGE.count("```http")
    for method, path, body, told in examples():
        if path.startswith("/similar"):
            fill(backend)
        answer = backend.client.request(method, path, json=body)
        if answer.headers["content-type"].startswith("text/plain"):
            assert set(told.splitlines()) <= set(answer.text.splitlines())
        else:
            assert agrees(json.loads(told), answer.json()), f"{method} {path}: {answer.text}"


def test_each_path_has_an_example() -> None:
    routes = {
        f"{method} {one.path}" for one in ROUTER.routes if isinstance(one, APIRoute) for method in one.methods or ()
    }
    told = {f"{method} {path.partition('?')[0]}" for method, path, _, _ in examples()}
    # The first answers as /health; the redirect of /setup leads to the second.
    assert routes - told == {"GET /", "GET /setup/problem/{words}"}
    assert set(re.findall(r"^## ([A-Z]+ /.*)", PAGE, re.MULTILINE)) == told


def test_what_differs_is_noticed() -> None:
    assert agrees({"a": ANY, "b": [1.0]}, {"a": 3, "b": [1.001]})
    assert agrees({"a": 1, ANY: ANY}, {"a": 1, "b": 2})
    for told in ({"a": 1}, {"a": 2, ANY: ANY}, {"a": 1, "b": 3}, {"a": 1, "c": ANY}, {"a": True, "b": 2}, [1, 2], {}):
        assert not agrees(told, {"a": 1, "b": 2})

"""Whatever is sent, nobody is blocked: no 5xx, and every task has its answer.

TAGLOOMTEST_FUZZ_CASES is how many cases all tests here try together; `make fuzz` tries ten times the usual.
"""

import copy
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.app import create_app
from backend.ties import Ties
from tagloom.settings import Settings
from tests import captured
from tests.backend.parts import Backend, CheapEncoders, running
from tests.backend.test_answers import TAGS
from tests.labelstudio.test_config import TREES

CASES = int(os.environ.get("TAGLOOMTEST_FUZZ_CASES", "2000"))
SCHEMA_SHARE = CASES // 12  # each of /setup, /predict and /webhook; the others take nothing and are asked once
CONFIG_SHARE = CASES // 16  # each config makes a project's version anew
OWN_SHARE = (CASES - 3 * SCHEMA_SHARE - CONFIG_SHARE + 2) // 3  # each of the other three


def cases(count: int) -> settings:
    """So many examples, however long one takes on a busy machine."""
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.fixture(scope="module")
def alive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One backend for all cases: what one of them leaves behind must not hurt the next."""
    with running(tmp_path_factory.mktemp("fuzz"), predict_budget=5.0) as made:
        made.service.engine.result(20)
        yield made
        print("\nrequests by status:", dict(answered(made)))  # `make fuzz` shows it, also when it is cut short


def answered(backend: Backend) -> Counter[str]:
    """How many requests were answered with which status."""
    (requests,) = backend.service.metrics.requests.collect()
    counts: Counter[str] = Counter()
    for sample in requests.samples:
        if sample.name.endswith("_total"):
            counts[sample.labels["status"]] += int(sample.value)
    return counts


def described() -> Any:
    """The backend's own OpenAPI description."""
    ties = Ties(CheapEncoders, lambda *_: pytest.fail("not served"), len, len, len)
    return schemathesis.openapi.from_dict(create_app(Settings(home=Path("unused")), ties).openapi())


DESCRIPTION = described()


@DESCRIPTION.parametrize()  # type: ignore[untyped-decorator]
@cases(SCHEMA_SHARE)
def test_the_description_holds(case: "schemathesis.Case[Any]", alive: Backend) -> None:
    request: dict[str, Any] = dict(case.as_transport_kwargs(base_url="http://testserver"))
    passed = ("method", "url", "params", "json", "data", "headers")
    allowed: dict[str, Any] = {key: request[key] for key in passed if key in request}
    if "data" in allowed:
        allowed["content"] = allowed.pop("data")
    answer = alive.client.request(**allowed)
    assert answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text


def post(backend: Backend, path: str, body: dict[str, Any]) -> Response:
    """As JSON in Python's wide sense: NaN, infinity and lone surrogates included."""
    return backend.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WEBHOOKS = [name for name in captured.NAMES if "webhook" in name]
PICTURES = st.sampled_from(
    [
        "/data/upload/2/a.png",
        "http://169.254.169.254/",
        "data:image/png;base64,AAAA",
        "s3://b/k",
        "file:///etc/passwd",
        "",
    ]
)
DATA = st.dictionaries(st.sampled_from(["image", "title", "industry", "level1", "other"]), JSON | PICTURES, max_size=4)
TASKS = st.fixed_dictionaries({}, optional={"id": st.integers(0, 2**63 - 1), "data": DATA | st.none(), "extra": JSON})
CONFIGS = st.sampled_from([captured.CONFIG, TAGS, "", "<View/>"]) | TREES


@cases(OWN_SHARE)
@given(
    tasks=st.lists(TASKS, max_size=4),
    config=CONFIGS,
    context=st.none()
    | st.fixed_dictionaries(
        {"result": st.lists(st.dictionaries(st.sampled_from(["value", "type", "from_name"]), JSON), max_size=2)}
    ),
)
def test_every_task_has_its_answer(alive: Backend, tasks: list[Any], config: str, context: Any) -> None:
    body = {"tasks": tasks, "project": "7.1", "label_config": config, "params": {"context": context}}
    answer = post(alive, "/predict", body)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert len(results) == len(tasks)
    assert all(isinstance(result["result"], list) and 0 <= result["score"] <= 1 for result in results)


@cases(CONFIG_SHARE)
@given(config=CONFIGS)
def test_any_config_is_set_up_or_told_what_to_change(alive: Backend, config: str) -> None:
    answer = alive.client.post("/setup", json={"project": "8.1", "schema": config}, follow_redirects=True)
    assert answer.status_code in (200, 400), answer.text


@cases(OWN_SHARE)
@given(
    name=st.sampled_from(WEBHOOKS),
    field=st.sampled_from(["annotation", "annotations", "task", "tasks", "action", "project"]),
    value=JSON,
)
def test_webhooks_with_one_odd_field(alive: Backend, name: str, field: str, value: Any) -> None:
    answer = post(alive, "/webhook", {**captured.body(name), field: value})
    assert answer.status_code in (200, 422), answer.text


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield (*path, key)
        yield from places(entry, (*path, key))


BODIES = {name: captured.request(name) for name in captured.NAMES if captured.request(name)["method"] == "POST"}
PLACES = [(name, path) for name, asked in BODIES.items() for path in places(asked["body"])]


@cases(OWN_SHARE)
@given(place=st.sampled_from(PLACES), value=JSON | st.sampled_from([2**63, 10**400, -1, 1e308]))
def test_one_odd_value_anywhere_in_a_captured_request(alive: Backend, place: tuple[str, Any], value: Any) -> None:
    name, (*way, last) = place
    body = copy.deepcopy(BODIES[name]["body"])
    inner = body
    for step in way:
        inner = inner[step]
    inner[last] = value
    answer = post(alive, BODIES[name]["path"], body)
    assert answer.status_code < 500, answer.text
    if answer.status_code == 200 and "results" in answer.json():
        assert len(answer.json()["results"]) == len(body["tasks"])

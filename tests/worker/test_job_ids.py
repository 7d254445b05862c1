"""Each line that a job logs carries its ids, in plain text and as JSON."""

import json

import pytest
from redis import Redis
from structlog.contextvars import bound_contextvars

from store.processes import BACKEND
from store.store import Store
from tagloom_base.logs import REQUEST
from tagloom_base.settings import Settings
from tests.worker import shop
from tests.worker.crew import crew
from worker import queue

KEY = str(shop.KEY)


@pytest.mark.slow
def test_lines_of_a_job_carry_its_ids_and_the_request_that_asked(
    settings: Settings, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGLOOM_LOG_JSON", "true")
    store.projects.ensure(KEY, shop.CONFIG)
    # Something to log: the backend has another seed.
    store.processes.note("backend", BACKEND, {"TAGLOOM_SEED": "99"})
    with bound_contextvars(**{REQUEST: "asked-for-it"}):
        queue.wake_reconcile(settings, KEY)
    queue.wake_encoding(settings, KEY)
    with crew(settings, "--burst") as worker:
        worker.wait()
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
    assert lines
    assert {line["kind"] for line in lines} >= {"reconcile", "encode"}, "each job has something to say here"
    for line in lines:
        assert line["project"] == KEY
        assert line["job"].startswith(f"{line['kind']}-default-")
    assert {line.get(REQUEST) for line in lines if line["kind"] == "reconcile"} == {"asked-for-it"}
    assert {line.get(REQUEST) for line in lines if line["kind"] == "encode"} == {None}

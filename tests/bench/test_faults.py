"""The fault suite must not be green because it has looked away."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bench.faults.checks import TOLERANCE, _acknowledged, _distance
from bench.faults.crew import Crew
from bench.faults.harm import CUT, EMPTIED, FILLED, FROZEN, IN_FLIGHT, SPOILT, Harm, Plan
from bench.faults.office import Office
from bench.faults.record import Protocol, Record, acknowledged
from store.weak_labels import WeakLabel
from tagloom.demo.server import ThreadedServer
from tagloom.demo.simulator import Upload

PLAN = Plan(kills=10, frozen=1, emptied=1, spoilt=1, filled=1, pause=0.0, seconds=0.0)


@pytest.fixture
def protocol(tmp_path: Path) -> Iterator[Protocol]:
    opened = Protocol(tmp_path / "protocol")
    yield opened
    opened.close()


@pytest.fixture
def office(protocol: Protocol) -> Office:
    return Office("http://127.0.0.1:1", Record(), protocol, 1)


def answer(body: dict[str, Any], status: int = 200) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("POST", "http://127.0.0.1/webhook", json=body))


def weak(probability: float, confidence: float) -> WeakLabel:
    return WeakLabel(probability, confidence, {})


def test_a_thread_that_ends_early_is_complained_about() -> None:
    def stumble(reason: str) -> None:
        raise ValueError(reason)

    record = Record()
    thread = record.thread(stumble, "no such process")
    thread.start()
    thread.join()
    (told,) = record.wrong
    assert told.endswith("stumble of the suite ended early: ValueError: no such process")


def test_each_harm_that_was_not_done_is_complained_about(office: Office) -> None:
    record = office.record
    harm = Harm(cast(Crew, None), office, record, PLAN, 1)
    record.kills["backend"], record.stages["refine"] = 10, 2
    record.harm.update({IN_FLIGHT: 1, FROZEN: 1, EMPTIED: 1, SPOILT: 1, FILLED: 1, CUT: 5})
    harm.account()
    assert record.wrong == []
    record.kills["backend"], record.stages["refine"] = 9, 1
    record.harm.clear()
    harm.account()
    assert len(record.wrong) == 8
    assert "only 9 of 10 kills" in record.wrong


@pytest.mark.parametrize("is_answered", [False, True])
def test_a_backend_is_killed_only_while_a_webhook_is_in_flight(office: Office, is_answered: bool) -> None:
    crew = SimpleNamespace(children={"backend": SimpleNamespace(pid=1)}, kill=lambda _: True)
    harm = Harm(cast(Crew, crew), office, office.record, PLAN, 1)
    office.in_flight = not is_answered
    harm._armed.set()
    before = set(threading.enumerate())
    office.on_webhook()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert office.record.harm[IN_FLIGHT] == office.record.killed == (not is_answered)


def test_a_label_that_one_side_leaves_out_must_say_next_to_nothing_on_the_other() -> None:
    one = {"a": weak(0.9, 0.5), "b": weak(0.6, 0.05)}
    assert _distance(one, {"a": weak(0.9, 0.5)}) <= TOLERANCE
    assert _distance(one, {"b": weak(0.6, 0.05)}) > TOLERANCE
    assert _distance({"b": weak(0.6, 0.05)}, one) > TOLERANCE
    assert _distance(one, {**one, "a": weak(0.8, 0.5)}) == pytest.approx(0.1)


def test_acknowledged_deletions_and_annotations_must_be_in_the_store(office: Office) -> None:
    record = office.record
    acknowledged(answer({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}), record)
    acknowledged(answer({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 2}]}, status=500), record)
    assert record.gone == {1}
    _acknowledged(office, {2: ([], False)}, record)
    assert record.wrong == []
    _acknowledged(office, {1: ([], False)}, record)
    assert record.wrong == ["1 deletions were acknowledged and are not in the store: [1]"]


def test_what_was_reconciled_while_nothing_could_be_is_complained_about(office: Office) -> None:
    def store_at(moment: float) -> Any:
        return SimpleNamespace(projects=SimpleNamespace(get=lambda _: SimpleNamespace(reconciled_at=moment)))

    office.reopen(store_at(0.0))
    assert office.record.wrong == []
    office.reopen(store_at(1.0))
    assert len(office.record.wrong) == 1


@pytest.fixture
def stumbling() -> Iterator[str]:
    """A backend that is healthy and breaks off each prediction."""

    async def health(_: Request) -> Response:
        return JSONResponse({})

    async def broken_off(_: Request) -> Response:
        return StreamingResponse(iter([b"{"]), headers={"Content-Length": "9"})

    server = ThreadedServer(
        Starlette(routes=[Route("/health", health), Route("/predict", broken_off, methods=["POST"])])
    )
    server.start()
    yield server.url
    server.stop()


@pytest.mark.parametrize(("pids", "complaints"), [((os.getpid(), os.getpid()), 1), ((os.getpid(), 1), 0)])
def test_only_a_killed_backend_may_leave_a_prediction_unanswered(
    stumbling: str, tmp_path: Path, protocol: Protocol, pids: tuple[int, int], complaints: int
) -> None:
    record = Record()
    office = Office(stumbling, record, protocol, 1)
    picture = tmp_path / "none.png"
    Image.new("RGB", (1, 1)).save(picture)
    (task,) = office.studio.import_tasks([Upload(picture, {"title": "x"})])
    left = iter(pids)
    backend = type("Backend", (), {"pid": property(lambda _: next(left))})()
    crew = cast(Crew, SimpleNamespace(url=stumbling, children={"backend": backend}))
    assert not office._asked(crew, task)
    assert len(record.wrong) == complaints
    assert all("no answer" in told for told in record.wrong)

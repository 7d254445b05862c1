"""Work that takes turns with other jobs."""

import time

import pytest

from worker import watch
from worker.watch import Interrupted, NeverEnds, TakesTurns


def test_work_gives_way_after_its_slice_if_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = True
    monkeypatch.setattr(watch, "SLICE_S", 60.0)
    TakesTurns(NeverEnds(), lambda: waiting).check()
    monkeypatch.setattr(watch, "SLICE_S", -1.0)
    turn = TakesTurns(NeverEnds(), lambda: waiting)
    with pytest.raises(Interrupted, match="other jobs"):
        turn.check()
    waiting = False
    turn.check()


def test_the_slice_begins_with_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SLICE_S", 0.05)
    turn = TakesTurns(NeverEnds(), lambda: True)
    time.sleep(0.1)  # it prepares
    turn.check()
    time.sleep(0.1)
    with pytest.raises(Interrupted):
        turn.check()


def test_work_that_must_end_ends_within_its_slice() -> None:
    class Asked:
        def check(self) -> None:
            raise Interrupted("asked to stop")

    with pytest.raises(Interrupted, match="asked to stop"):
        TakesTurns(Asked(), lambda: False).check()

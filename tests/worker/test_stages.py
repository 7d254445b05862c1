import time
from collections.abc import Mapping
from typing import Any

import pytest

from worker.stages import Stages

BEFORE = {"reading": 10.0, "learning": 40.0, "judging": 20.0}


class Watch:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    made = Watch()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_the_time_left_is_that_of_the_last_training(watch: Watch) -> None:
    told: list[Mapping[str, Any]] = []
    follow = Stages(told.append, BEFORE)
    follow({"stage": "reading"})
    watch.at += 4
    follow({"stage": "learning", "epoch": 1})
    watch.at += 15
    follow({"stage": "learning", "epoch": 2})
    watch.at += 100
    follow({"stage": "learning", "epoch": 3})
    follow({"stage": "judging"})
    assert [one["seconds_left"] for one in told] == [70.0, 60.0, 45.0, 20.0, 20.0]
    assert told[2]["epoch"] == 2


def test_a_stage_that_is_new_counts_none_of_the_ones_that_are_over(watch: Watch) -> None:
    told: list[Mapping[str, Any]] = []
    follow = Stages(told.append, BEFORE)
    follow({"stage": "reading"})
    watch.at += 4
    follow({"stage": "something new"})
    assert told[-1]["seconds_left"] == 60.0


def test_the_first_training_promises_nothing_and_its_stages_are_kept(watch: Watch) -> None:
    told: list[Mapping[str, Any]] = []
    follow = Stages(told.append, {})
    follow({"stage": "reading"})
    watch.at += 4
    follow({"stage": "judging"})
    watch.at += 6
    assert all("seconds_left" not in one for one in told)
    assert len(told) == 2
    assert follow.kept() == {"seconds": {"reading": 4.0, "judging": 6.0}}

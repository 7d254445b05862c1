"""The stages of a training: reported with the time that is left, as the project's last training lets expect."""

import time
from collections.abc import Callable, Mapping
from typing import Any

Report = Callable[[Mapping[str, Any]], None]


class Stages:
    """Passes the progress of one training on to ``report``, and keeps how long each stage takes.

    ``before`` maps the stages of the last training to their durations in seconds; empty if there was none. What is
    reported besides: ``reported_at`` (unix seconds) and, unless ``before`` is empty, ``seconds_left``.
    """

    def __init__(self, report: Report, before: Mapping[str, float]) -> None:
        self._report = report
        self._before = before
        self._seconds: dict[str, float] = {}
        self._stage = ""
        self._began = time.monotonic()

    def __call__(self, progress: Mapping[str, Any]) -> None:
        """Report the progress."""
        stage = progress.get("stage", self._stage)
        if stage != self._stage:
            self._end_stage()
            self._stage = stage
        left = {"seconds_left": self._left()} if self._before else {}
        self._report({**progress, **left, "reported_at": time.time()})

    def kept(self) -> dict[str, Mapping[str, float]]:
        """Return what is kept of the training once it has ended: `store.projects.Project.last_training`."""
        self._end_stage()
        self._stage = ""
        return {"seconds": self._seconds}

    def _end_stage(self) -> None:
        now = time.monotonic()
        if self._stage:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._began
        self._began = now

    def _left(self) -> float:
        """Return the durations of this stage and all later ones in the last training, less the time in this stage."""
        stages = list(self._before)
        if self._stage not in stages:
            return sum(seconds for stage, seconds in self._before.items() if stage not in self._seconds)
        later = stages[stages.index(self._stage) + 1 :]
        this = max(self._before[self._stage] - (time.monotonic() - self._began), 0.0)
        return this + sum(self._before[stage] for stage in later)

"""Two threads that run the networks: one for what was read before, one for new pictures. In each projects take turns.

Requests that wait share a batch. An answer from a known picture takes milliseconds; reading a new one and looking for
its boxes takes half a second. So neither waits for the other, and the two threads share the cores.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog

from labelstudio.encoding import Extractor, ExtractorGoneError
from labelstudio.turns import Turns
from model.features.item import ItemFeatures
from model.items import Item, Prediction

LOG = structlog.stdlib.get_logger(__name__)

NEW_BATCH = 4  # pictures at once: those of other projects wait for so many; a CPU saves nothing by more

In = TypeVar("In")
Out = TypeVar("Out")


class Predictor(Protocol):
    """What answers; ``model.tagger.Tagger``."""

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]: ...


@dataclass(eq=False)
class _Job:
    """Inputs of one request for one model; ``result`` comes with one entry per input, None where it failed."""

    run: Callable[[Sequence[Any]], Sequence[Any]]
    shares: object  # jobs with the same value may be run together
    inputs: Sequence[Any]
    result: "Future[list[Any]]" = field(default_factory=Future)


class Inference:
    """Answers and features. Every call blocks until its part is done."""

    def __init__(self, extractor: Extractor, max_batch: int = 16) -> None:
        self._extractor = extractor
        self._known = _Lane("known pictures", max_batch)
        self._new = _Lane("new pictures", NEW_BATCH)

    def piece(self, *, new: bool) -> int:
        """Most items that are answered together."""
        return (self._new if new else self._known).limit

    def predict(
        self,
        project: str,
        tagger: Predictor,
        features: Sequence[ItemFeatures],
        *,
        boxes: bool = True,
        new: bool = False,
    ) -> list[Prediction | None]:
        """One prediction per item, in order; None for an item that the model failed on.

        ``new``: nobody has looked for boxes in these pictures yet, which takes as long as reading them.
        """

        def run(batch: Sequence[ItemFeatures]) -> list[Prediction]:
            return tagger.predict(batch, boxes=boxes)

        found: list[Prediction | None] = []
        lane = self._new if new else self._known
        for at in range(0, len(features), lane.limit):  # one piece after the other, so that small requests slip in
            job = _Job(run, (id(tagger), boxes), features[at : at + lane.limit])
            lane.put(project, job)
            found += job.result.result()
        return found

    def extract(self, project: str, items: Sequence[Item], deadline: float | None = None) -> list[ItemFeatures]:
        """Features of items, in order.

        TimeoutError when they were not there by ``deadline``, a ``time.monotonic()`` moment; RuntimeError when the
        extractor failed on one of them.
        """
        found: list[ItemFeatures | None] = []
        for at in range(0, len(items), NEW_BATCH):
            job = _Job(self._extractor.extract, None, items[at : at + NEW_BATCH])
            self._new.put(project, job)
            try:
                found += job.result.result(None if deadline is None else max(deadline - time.monotonic(), 0.0))
            except TimeoutError:
                job.result.cancel()  # what has begun is too late
                raise
        kept = [entry for entry in found if entry is not None]
        if len(kept) < len(found):
            raise RuntimeError("the encoders failed on this picture or text")
        return kept

    def of(self, project: str, deadline: float | None) -> Extractor:
        """An extractor for one request of a project."""
        return _Reading(self, project, deadline)

    def close(self) -> None:
        """End the threads after their batches; waiting calls get ExtractorGoneError."""
        self._known.close()
        self._new.close()


@dataclass(frozen=True)
class _Reading:
    inference: Inference
    project: str
    deadline: float | None

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        return self.inference.extract(self.project, items, self.deadline)


class _Lane:
    """One thread and what waits for it. A batch takes at most ``limit`` inputs from jobs that may be run together."""

    def __init__(self, name: str, limit: int) -> None:
        self.limit = limit
        self._waiting: Turns[_Job] = Turns()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, project: str, job: _Job) -> None:
        with self._wake:
            if self._closed:
                raise ExtractorGoneError("the backend is closing")
            self._waiting.put(project, job)
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    break
                jobs = self._together()
            _run_jobs([job for job in jobs if job.result.set_running_or_notify_cancel()])
        while taken := self._waiting.take():
            if taken[1].result.set_running_or_notify_cancel():
                taken[1].result.set_exception(ExtractorGoneError("the backend is closing"))

    def _together(self) -> list[_Job]:
        """The next job, and of the projects in turn those that may share its batch."""
        jobs: list[_Job] = []
        size = 0

        def fits(_project: str, job: _Job) -> bool:
            return not jobs or (job.shares == jobs[0].shares and size + len(job.inputs) <= self.limit)

        while taken := self._waiting.take(fits):
            jobs.append(taken[1])
            size += len(taken[1].inputs)
        return jobs


def _run_jobs(jobs: Sequence[_Job]) -> None:
    if not jobs:
        return
    outputs = _robust(jobs[0].run, [entry for job in jobs for entry in job.inputs])
    for job in jobs:
        own, outputs = outputs[: len(job.inputs)], outputs[len(job.inputs) :]
        job.result.set_result(own)


def _robust(run: Callable[[Sequence[In]], Sequence[Out]], inputs: Sequence[In]) -> "list[Out | None]":
    """The batch's outputs; if it fails, each input alone, so that one odd item does not spoil its neighbours."""
    try:
        return list(run(inputs))
    except Exception as error:
        if len(inputs) == 1:
            LOG.error("the model failed on an item", error=repr(error))
            return [None]
        return [_robust(run, [entry])[0] for entry in inputs]

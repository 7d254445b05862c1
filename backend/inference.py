"""Run the networks in two threads, one for known and one for new pictures. In each, projects take turns.

Waiting requests share a batch. An answer from a known picture takes milliseconds. Reading a new one and searching for
its boxes takes half a second. With a thread for each kind, quick answers do not wait for slow ones.
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
from model.items import Item, Prediction, is_long

LOG = structlog.stdlib.get_logger(__name__)

KNOWN_BATCH = 16  # inputs of a batch of known pictures; on a CPU larger ones save nothing
NEW_BATCH = 4  # the same for new pictures; smaller, because other projects wait for the whole batch

In = TypeVar("In")
Out = TypeVar("Out")


class Predictor(Protocol):
    """Predicts from features, like ``model.tagger.Tagger``."""

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]: ...


@dataclass(eq=False)
class _Job:
    """Inputs of one request for one model. ``result`` has one entry per input, None where the model failed."""

    run: Callable[[Sequence[Any]], Sequence[Any]]
    shares: object  # jobs with equal values may share a batch
    inputs: Sequence[Any]
    result: "Future[list[Any]]" = field(default_factory=Future)


class Inference:
    """Computes predictions and features in two threads. ``predict`` and ``extract`` block until they are done."""

    def __init__(self, extractor: Extractor, max_batch: int = KNOWN_BATCH) -> None:
        self._extractor = extractor
        self._known = _Lane("known pictures", max_batch)
        self._new = _Lane("new pictures", NEW_BATCH)

    def piece(self, *, new: bool) -> int:
        """Return the largest number of items that one batch may hold."""
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
        """Return one prediction per item, in order; None for an item that the model failed on.

        ``new`` says that boxes have never been searched for in these pictures, which takes as long as reading them.
        """

        def run(batch: Sequence[ItemFeatures]) -> list[Prediction]:
            return tagger.predict(batch, boxes=boxes)

        found: list[Prediction | None] = []
        lane = self._new if new else self._known
        # Each piece waits for the one before, so that small requests get a turn between the pieces of a large one.
        for at in range(0, len(features), lane.limit):
            job = _Job(run, (id(tagger), boxes), features[at : at + lane.limit])
            lane.put(project, job)
            found += job.result.result()
        return found

    def explain(
        self, project: str, run: Callable[[Sequence[ItemFeatures]], Sequence[Out]], features: ItemFeatures
    ) -> Out | None:
        """Return what ``run`` computes of one known picture, in the turn of its project; None where it fails."""
        # Equal to no other job's, so that it shares no batch.
        job = _Job(run, object(), [features])
        self._known.put(project, job)
        (found,) = job.result.result()
        return found  # type: ignore[no-any-return]

    def extract(self, project: str, items: Sequence[Item], deadline: float | None = None) -> list[ItemFeatures]:
        """Return the features of the items, in order.

        Raises TimeoutError when they were not ready by ``deadline``, a time of ``time.monotonic()``, and RuntimeError
        when the extractor failed on one of the items.
        """
        found: list[ItemFeatures | None] = []
        for at in range(0, len(items), NEW_BATCH):
            job = _Job(self._extractor.extract, None, items[at : at + NEW_BATCH])
            self._new.put(project, job)
            try:
                found += job.result.result(None if deadline is None else max(deadline - time.monotonic(), 0.0))
            except TimeoutError:
                # This removes a job that still waits. A running one goes on, and its result is unused.
                job.result.cancel()
                raise
        kept = [entry for entry in found if entry is not None]
        if len(kept) < len(found):
            raise RuntimeError("the encoders failed on this picture or text")
        return kept

    def of(self, project: str, deadline: float | None) -> Extractor:
        """Return an extractor for one request of a project, which gives up at ``deadline``."""
        return _Reading(self, project, deadline)

    def close(self) -> None:
        """End the threads after their current batches. Waiting calls raise ExtractorGoneError."""
        self._known.close()
        self._new.close()


@dataclass(frozen=True)
class _Reading:
    """``Inference.extract`` with project and deadline filled in."""

    inference: Inference
    project: str
    deadline: float | None

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        return self.inference.extract(self.project, items, self.deadline)


class _Lane:
    """One thread and its waiting jobs. A batch has at most ``limit`` inputs, of jobs that may share a batch.

    The inputs are items or features.
    """

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
                jobs = self._take_batch()
            # A caller that gave up has cancelled its job.
            running = [job for job in jobs if job.result.set_running_or_notify_cancel()]
            if not running:
                continue
            outputs = _robust(running[0].run, [entry for job in running for entry in job.inputs])
            for job in running:
                own, outputs = outputs[: len(job.inputs)], outputs[len(job.inputs) :]
                job.result.set_result(own)
        # The lane is closed: end the calls whose jobs still wait.
        while taken := self._waiting.take():
            if taken[1].result.set_running_or_notify_cancel():
                taken[1].result.set_exception(ExtractorGoneError("the backend is closing"))

    def _take_batch(self) -> list[_Job]:
        """Take the next job, and of the other projects, in turn, those jobs that may share its batch."""
        jobs: list[_Job] = []
        size = 0

        def fits(_project: str, job: _Job) -> bool:
            return not jobs or (job.shares == jobs[0].shares and size + self._size_of(job) <= self.limit)

        while taken := self._waiting.take(fits):
            jobs.append(taken[1])
            size += self._size_of(taken[1])
        return jobs

    def _size_of(self, job: _Job) -> int:
        """Return the number of inputs of a job; ``limit`` if one is a long picture, which takes as long as a batch."""
        return self.limit if any(is_long(entry.size) for entry in job.inputs) else len(job.inputs)


def _robust(run: Callable[[Sequence[In]], Sequence[Out]], inputs: Sequence[In]) -> "list[Out | None]":
    """Return the batch's outputs. If the batch fails, run each input alone, and return None for those that fail."""
    try:
        return list(run(inputs))
    except Exception as error:
        if len(inputs) == 1:
            LOG.error("the model failed on an item", error=repr(error))
            return [None]
        return [_robust(run, [entry])[0] for entry in inputs]

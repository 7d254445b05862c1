"""One thread that runs the networks. Waiting requests share its batches; answers go before reading new pictures."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import structlog

from labelstudio.encoding import Extractor, ExtractorGoneError
from model.features.item import ItemFeatures
from model.items import Item, Prediction

LOG = structlog.stdlib.get_logger(__name__)

EXTRACT_BATCH = 8  # pictures at once: a request for an answer waits for at most so many

In = TypeVar("In")
Out = TypeVar("Out")


class Predictor(Protocol):
    """What answers; ``model.tagger.Tagger``."""

    def predict(self, features: Sequence[ItemFeatures], *, boxes: bool = True) -> list[Prediction]: ...


@dataclass(eq=False)
class _Job(Generic[In, Out]):
    """Inputs of one request for one model; ``result`` comes with one entry per input, None where it failed."""

    run: Callable[[Sequence[In]], Sequence[Out]]
    shares: object  # jobs with the same value may be run together
    inputs: Sequence[In]
    result: "Future[list[Out | None]]" = field(default_factory=Future)


class Inference:
    """Answers and features, computed by one thread. Every call blocks until its part is done."""

    def __init__(self, extractor: Extractor, max_batch: int = 16) -> None:
        self._extractor = extractor
        self.max_batch = max_batch
        self._answers: deque[_Job[ItemFeatures, Prediction]] = deque()
        self._readings: deque[_Job[Item, ItemFeatures]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def predict(
        self, tagger: Predictor, features: Sequence[ItemFeatures], *, boxes: bool = True
    ) -> list[Prediction | None]:
        """One prediction per item, in order; None for an item that the model failed on."""

        def run(batch: Sequence[ItemFeatures]) -> list[Prediction]:
            return tagger.predict(batch, boxes=boxes)

        found: list[Prediction | None] = []
        for at in range(0, len(features), self.max_batch):  # one piece after the other, so that small requests slip in
            job = _Job(run, (id(tagger), boxes), features[at : at + self.max_batch])
            self._submit(self._answers, job)
            found += job.result.result()
        return found

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        """Features of items, in order. RuntimeError when the extractor failed on one of them."""
        found: list[ItemFeatures | None] = []
        for at in range(0, len(items), EXTRACT_BATCH):
            job = _Job(self._extractor.extract, None, items[at : at + EXTRACT_BATCH])
            self._submit(self._readings, job)
            found += job.result.result()
        kept = [entry for entry in found if entry is not None]
        if len(kept) < len(found):
            raise RuntimeError("the encoders failed on this picture or text")
        return kept

    def close(self) -> None:
        """End the thread after its batch; waiting calls get ExtractorGoneError."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join()

    def _submit(self, queue: "deque[_Job[In, Out]]", job: "_Job[In, Out]") -> None:
        with self._wake:
            if self._closed:
                raise ExtractorGoneError("the backend is closing")
            queue.append(job)
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._answers or self._readings)
                if self._closed:
                    break
                answers = _together(self._answers, self.max_batch)
                readings = [] if answers else _together(self._readings, EXTRACT_BATCH)
            _run_jobs(answers)
            _run_jobs(readings)
        _abandon(self._answers)
        _abandon(self._readings)


def _abandon(queue: "deque[_Job[In, Out]]") -> None:
    for job in queue:
        job.result.set_exception(ExtractorGoneError("the backend is closing"))


def _together(queue: "deque[_Job[In, Out]]", limit: int) -> "list[_Job[In, Out]]":
    """Take the first job and those right behind it that may share its batch."""
    jobs: list[_Job[In, Out]] = []
    size = 0
    while queue and (not jobs or (queue[0].shares == jobs[0].shares and size + len(queue[0].inputs) <= limit)):
        jobs.append(queue.popleft())
        size += len(jobs[-1].inputs)
    return jobs


def _run_jobs(jobs: "Sequence[_Job[In, Out]]") -> None:
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

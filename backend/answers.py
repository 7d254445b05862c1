"""Tasks → checked answers, one each, within a time budget. Nothing in a task can spoil the other tasks' answers."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.inference import Inference, Predictor
from backend.interactive import DrawnTagger, Interaction
from backend.metrics import Metrics
from backend.schemas import TaskIn, TaskPrediction
from backend.versions import Served
from labelstudio.config import LabelConfig
from labelstudio.encoding import Failure, TaskEncoder
from labelstudio.project import ProjectKey
from labelstudio.proposals import region_seed
from labelstudio.regions import Region
from labelstudio.results import checked, result_of
from model.features.item import ItemFeatures
from model.items import Prediction
from store.fast_answers import SUFFIX, FastAnswers

LOG = structlog.stdlib.get_logger(__name__)

TOLD = 10  # reasons of one request that are logged, and tasks that are named for each


@dataclass(frozen=True)
class Question:
    """One /predict. ``context`` are interactive mode's regions.

    Moments of ``time.monotonic()``: after ``deadline`` no picture is read and no box looked for, after ``end`` no text.
    """

    project: ProjectKey
    config: LabelConfig
    tasks: Sequence[TaskIn]
    deadline: float
    end: float
    context: Sequence[Region] | None = None

    @cached_property
    def interaction(self) -> Interaction | None:
        """What interactive mode asks, always about one task; None for a question like any other."""
        if self.context is None or not self.tasks:
            return None
        return Interaction.of(self.config, self.context, self.tasks[0].stored)

    @property
    def is_silent(self) -> bool:
        """Whether interactive mode wants no answer."""
        return self.interaction is not None and self.interaction.silent


@dataclass(frozen=True)
class _Evidence:
    """What one task is answered from, and under which version name; no features: nothing can be said."""

    features: ItemFeatures | None
    version: str
    outcome: str


@dataclass(frozen=True)
class _Said:
    """What the model says of one item; ``whole`` is False when there was no time for all of it."""

    prediction: Prediction | None
    whole: bool = True


@dataclass(frozen=True)
class Answered:
    """The answers in order. ``unfinished``: pictures are unread, or answers fast: the worker has to be woken."""

    results: list[TaskPrediction]
    features: list[ItemFeatures]
    unfinished: bool


class Answers:
    """Answers questions on the version that it is given."""

    def __init__(self, encoder: TaskEncoder, inference: Inference, metrics: Metrics, fast: FastAnswers) -> None:
        self._encoder = encoder
        self._inference = inference
        self._metrics = metrics
        self._fast = fast

    def answer(self, question: Question, served: Served) -> Answered:
        """One result per task, in order, all under ``served`` (or its fast name)."""
        if question.is_silent:
            return self._silence(question, served)
        payloads = [task.payload() for task in question.tasks]
        new = self._encoder.unread(question.project, question.config, payloads)
        found = self._encoder.features(question.project, question.config, payloads, question.deadline)
        return self._answered(question, served, found, new)

    def kept(self, question: Question, served: Served) -> Answered | None:
        """The same for a question for which nothing must be read, else None: nothing is waited for."""
        if question.is_silent:
            return self._silence(question, served)
        payloads = [task.payload() for task in question.tasks]
        found = self._encoder.kept(question.project, question.config, payloads)
        return None if found is None else self._answered(question, served, found, [False] * len(found))

    def _silence(self, question: Question, served: Served) -> Answered:
        return Answered([self._empty(served.version, "silent") for _ in question.tasks], [], unfinished=False)

    def _answered(
        self, question: Question, served: Served, found: Sequence[ItemFeatures | Failure], new: Sequence[bool]
    ) -> Answered:
        """``new``: of each task whether its picture was unread until now, so that nobody has looked for boxes in it."""
        evidence = self._evidence(question, served.version, found)
        read = [is_new and isinstance(entry, ItemFeatures) for is_new, entry in zip(new, found, strict=True)]
        said = [_Said(None)] * len(found)
        for is_new in (False, True):
            places = [place for place, entry in enumerate(evidence) if entry.features and read[place] is is_new]
            for place, spoken in zip(places, self._say(question, served, evidence, places, new=is_new), strict=True):
                said[place] = spoken
        evidence = self._with_fast_names(question, served.version, found, evidence, said)
        results = [
            self._result(question, task, entry, spoken.prediction)
            for task, entry, spoken in zip(question.tasks, evidence, said, strict=True)
        ]
        return Answered(
            results,
            [entry for entry in found if isinstance(entry, ItemFeatures)],
            any(entry.outcome == "fast" for entry in evidence)
            or any(isinstance(entry, Failure) and not entry.permanent for entry in found),
        )

    def _say(
        self, question: Question, served: Served, evidence: Sequence[_Evidence], places: Sequence[int], *, new: bool
    ) -> list[_Said]:
        """Predictions in pieces: when the time for boxes is over, tags alone; when all is over, nothing."""
        drawn = question.interaction.drawn if question.interaction else None
        tagger = DrawnTagger(served.tagger, drawn) if drawn else served.tagger
        boxes = bool(question.config.rectangles)
        features = [entry.features for place in places if (entry := evidence[place]).features]
        size = self._inference.piece(new=new)
        said: list[_Said] = []
        for piece in (features[at : at + size] for at in range(0, len(features), size)):
            if time.monotonic() >= question.end:
                said += [_Said(None, whole=False)] * len(piece)
                continue
            whole = not boxes or time.monotonic() < question.deadline
            found = self._predict(question, tagger, piece, boxes=boxes and whole, new=new)
            said += [_Said(entry, whole) for entry in found]
        return said

    def _predict(
        self, question: Question, tagger: Predictor, features: Sequence[ItemFeatures], *, boxes: bool, new: bool
    ) -> list[Prediction | None]:
        """Where boxes make the model fail on an item, its tags are still worth having."""
        predict = partial(self._inference.predict, str(question.project), tagger, new=new)
        found = predict(features, boxes=boxes)
        failed = [place for place, prediction in enumerate(found) if prediction is None]
        if failed and boxes:
            again = predict([features[place] for place in failed], boxes=False)
            for place, prediction in zip(failed, again, strict=True):
                found[place] = prediction
        return found

    def _evidence(self, question: Question, version: str, found: Sequence[ItemFeatures | Failure]) -> list[_Evidence]:
        """Where the picture is missing, what title and industry say without it."""
        failures = {place: entry for place, entry in enumerate(found) if isinstance(entry, Failure)}
        self._tell(question, failures)
        payloads = [question.tasks[place].payload() for place in failures]
        texts = self._encoder.texts_only(question.project, question.config, payloads, question.end) if failures else []
        weaker = {
            place: _Evidence(text, version, "text" if text else "empty")
            for place, text in zip(failures, texts, strict=True)
        }
        return [
            weaker[place] if isinstance(entry, Failure) else _Evidence(entry, version, "full")
            for place, entry in enumerate(found)
        ]

    def _tell(self, question: Question, failures: Mapping[int, Failure]) -> None:
        """Count the failures, and log each reason once, up to some of them: a request may hold thousands of tasks."""
        tasks: dict[str, list[int | None]] = {}
        for place, failure in failures.items():
            self._metrics.problems.labels(_reason(failure)).inc()
            tasks.setdefault(failure.reason, []).append(question.tasks[place].id)
        for reason, ids in islice(tasks.items(), TOLD):
            LOG.warning("no picture", project=str(question.project), of=len(ids), tasks=ids[:TOLD], reason=reason)
        if len(tasks) > TOLD:
            LOG.warning("no picture, for other reasons", project=str(question.project), reasons=len(tasks) - TOLD)

    def _with_fast_names(
        self,
        question: Question,
        version: str,
        found: Sequence[ItemFeatures | Failure],
        evidence: Sequence[_Evidence],
        said: Sequence[_Said],
    ) -> list[_Evidence]:
        """What may be answered better later gets a name that makes Label Studio ask again, but only once."""
        fast = f"{version}{SUFFIX}"
        late = {
            place
            for place, entry in enumerate(found)
            if (not entry.permanent if isinstance(entry, Failure) else not said[place].whole)
        }
        ids = {place: question.tasks[place].id for place in late if not question.tasks[place].has_version(fast)}
        given = self._give(question, version, [number for number in ids.values() if number is not None])
        return [
            replace(entry, version=fast, outcome="fast") if place in ids and ids[place] in given else entry
            for place, entry in enumerate(evidence)
        ]

    def _give(self, question: Question, version: str, tasks: Sequence[int]) -> set[int]:
        """Which of these tasks may have a fast answer; none in interactive mode, which Label Studio does not store."""
        if question.interaction or not tasks:
            return set()
        try:
            return self._fast.give(str(question.project), version, tasks)
        except SQLAlchemyError as error:
            LOG.error("fast answers cannot be noted, so there are none", error=str(error))
            return set()

    def _result(
        self, question: Question, task: TaskIn, evidence: _Evidence, prediction: Prediction | None
    ) -> TaskPrediction:
        features, config = evidence.features, question.config
        if prediction is None or features is None:
            return self._empty(evidence.version, evidence.outcome if features is None else "empty")
        seed = region_seed(question.project, task.id, evidence.version)
        try:
            if question.interaction:
                result = question.interaction.result(prediction, features.size, seed)
            else:
                result = result_of(config, prediction, features.size, seed)
            answer = checked(config, result, prediction.score)
        except Exception as error:  # whatever it is, the other tasks have their answers
            LOG.error("an answer was held back", project=str(question.project), task=task.id, reason=repr(error)[:500])
            self._metrics.problems.labels("invalid").inc()
            return self._empty(evidence.version, "empty")
        self._metrics.tasks.labels(evidence.outcome).inc()
        return TaskPrediction(**answer, model_version=evidence.version)

    def _empty(self, version: str, outcome: str) -> TaskPrediction:
        self._metrics.tasks.labels(outcome).inc()
        return TaskPrediction(result=[], score=0.0, model_version=version)


def _reason(failure: Failure) -> str:
    if failure.late:
        return "late"
    return "picture" if failure.permanent else "fetch"

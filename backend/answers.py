"""Answer the tasks of one /predict: one checked prediction per task, within a time budget.

A task that the model or the encoding fails on gets an empty answer. The other tasks keep theirs.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.inference import Inference
from backend.interactive import DrawnTagger, Interaction
from backend.metrics import Metrics
from backend.remembered import Asked, Memory, Remembered, Written
from backend.schemas import TaskIn, TaskPrediction, json_of
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
from store.source_opinions import SourceOpinions
from worker.said import with_said

LOG = structlog.stdlib.get_logger(__name__)

# Most reasons that one request logs, and most task ids of each: a request may hold thousands of tasks.
LOGGED = 10


@dataclass(frozen=True)
class Question:
    """One /predict with its parsed labelling config. ``context`` holds interactive mode's regions, else None.

    ``deadline`` and ``end`` are times of ``time.monotonic()``. After ``deadline`` no picture is read and no box is
    searched for. After ``end`` no text is encoded and nothing is predicted.
    """

    project: ProjectKey
    config: LabelConfig
    tasks: Sequence[TaskIn]
    deadline: float
    end: float
    context: Sequence[Region] | None = None

    @cached_property
    def interaction(self) -> Interaction | None:
        """The interactive request, which is always about one task, or None outside of interactive mode."""
        if self.context is None or not self.tasks:
            return None
        return Interaction.of(self.config, self.context, self.tasks[0].stored)

    @property
    def is_silent(self) -> bool:
        """Whether interactive mode shows no answer to this request."""
        return self.interaction is not None and self.interaction.silent


@dataclass(frozen=True)
class _Evidence:
    """The features that one task is answered from, and the answer's version name. Without features it is empty."""

    features: ItemFeatures | None
    version: str
    outcome: str

    @property
    def size(self) -> tuple[int, int] | None:
        return self.features.size if self.features else None


@dataclass(frozen=True)
class _Output:
    """The model's output for one item. ``complete`` is False when the time was too short for all parts of it."""

    prediction: Prediction | None
    complete: bool = True


@dataclass(frozen=True)
class _Reply:
    """What is written for one task: the version's name, how it was answered, and what the model says.

    ``size`` is the upright picture's width and height in pixels; None where nothing could be asked. ``kept_as`` is set
    where the answer may be given again.
    """

    version: str
    outcome: str
    prediction: Prediction | None
    size: tuple[int, int] | None
    kept_as: Written | None = None


@dataclass(frozen=True)
class Answered:
    """The answers in the order of the tasks, and the keys of the features that they were given from.

    ``unfinished``: a picture is still unread, or a fast answer has to be replaced, so the worker must be woken.
    ``unread`` maps each task whose picture could not be read, other than for lack of time, to the reason.
    """

    results: list[TaskPrediction]
    keys: list[str]
    unfinished: bool
    unread: Mapping[int, str] = field(default_factory=dict)


class Answers:
    """Answers a ``Question`` with a served version of the model."""

    def __init__(
        self,
        encoder: TaskEncoder,
        inference: Inference,
        metrics: Metrics,
        fast: FastAnswers,
        opinions: SourceOpinions,
        memory: Memory,
    ) -> None:
        self._memory = memory
        self._encoder = encoder
        self._opinions = opinions
        self._inference = inference
        self._metrics = metrics
        self._fast = fast

    def answer(self, question: Question, served: Served) -> Answered:
        """Return one result per task, in order, all under the version name of ``served`` or its fast name."""
        if question.is_silent:
            return self._silence(question, served)
        payloads = [task.payload() for task in question.tasks]
        # Must come before the pictures are read: in those that are unread now, no boxes were searched for yet.
        new = self._encoder.unread(question.project, question.config, payloads)
        found = self._encoder.features(question.project, question.config, payloads, question.deadline)
        return self._answered(question, served, self._heard(question, served, found), new)

    def kept(self, question: Question, served: Served) -> Answered | None:
        """Return the same as ``answer`` if all features are cached, else None. Reads no picture and never waits."""
        if question.is_silent:
            return self._silence(question, served)
        payloads = [task.payload() for task in question.tasks]
        if (known := self._remembered(question, served, payloads)) is not None:
            return known
        found = self._encoder.kept(question.project, question.config, payloads)
        if found is None:
            return None
        return self._answered(question, served, self._heard(question, served, found), [False] * len(found))

    def written(self, question: Question, served: Served) -> tuple[list[bytes], list[str]] | None:
        """Return the JSON of each task's answer, and the keys of their features, if all were given before, else None.

        Takes microseconds, so that the event loop may call it.
        """
        if not _may_remember(question, served):
            return None
        keys = self._encoder.keys(question.project, question.config, [task.payload() for task in question.tasks])
        found = self._memory.written(_written(question, served, keys))
        if found is None:
            return None
        self._metrics.tasks.labels("full").inc(len(found))
        return found, keys

    def _remembered(self, question: Question, served: Served, payloads: Sequence[Mapping[str, Any]]) -> Answered | None:
        """Return the answers if those to all tasks are remembered, else None."""
        if not _may_remember(question, served):
            return None
        keys = self._encoder.keys(question.project, question.config, payloads)
        known = self._memory.find(_asked(question, served), [task.id for task in question.tasks], keys)
        if not all(known):
            return None
        results = [
            self._result(question, task, _Reply(served.version, "full", entry.prediction, entry.size, kept_as))
            for task, entry, kept_as in zip(question.tasks, known, _written(question, served, keys), strict=True)
            if entry is not None
        ]
        return Answered(results, keys, unfinished=False)

    def _heard(
        self, question: Question, served: Served, found: Sequence[ItemFeatures | Failure]
    ) -> list[ItemFeatures | Failure]:
        """Attach what the sources of others, with which the version was trained, are known to have said."""
        names = served.tagger.sources.foreign
        payloads = [task.payload() for task in question.tasks]
        return with_said(self._opinions, names, question.project, question.config, payloads, found)

    def _silence(self, question: Question, served: Served) -> Answered:
        return Answered([self._empty(served.version, "silent") for _ in question.tasks], [], unfinished=False)

    def _answered(
        self, question: Question, served: Served, found: Sequence[ItemFeatures | Failure], new: Sequence[bool]
    ) -> Answered:
        """Predict and write the results from the features ``found``, one entry per task.

        ``new`` says of each task whether its picture was unread until now. Its boxes are then computed for the first
        time, which is slow, so these tasks come last and in the inference thread for new pictures.
        """
        evidence = self._evidence(question, served.version, found)
        read = [is_new and isinstance(entry, ItemFeatures) for is_new, entry in zip(new, found, strict=True)]
        outputs = [_Output(None)] * len(found)
        for is_new in (False, True):
            places = [place for place, entry in enumerate(evidence) if entry.features and read[place] is is_new]
            predicted = self._predict(question, served, evidence, places, new=is_new)
            for place, output in zip(places, predicted, strict=True):
                outputs[place] = output
        evidence = self._with_fast_names(question, served.version, found, evidence, outputs)
        keys = self._encoder.keys(question.project, question.config, [task.payload() for task in question.tasks])
        may_remember = _may_remember(question, served)
        results = []
        for task, entry, output, kept_as in zip(
            question.tasks, evidence, outputs, _written(question, served, keys), strict=True
        ):
            # Only what is whole: with the picture where there is one, and with boxes if they are asked for.
            is_whole = bool(kept_as.item_key) and entry.outcome == "full" and output.complete
            if may_remember and is_whole and entry.features and output.prediction:
                remembered = Remembered(output.prediction, entry.features.size)
                self._memory.keep(kept_as.asked, kept_as.item_key, remembered)
            reply = _Reply(
                entry.version,
                entry.outcome,
                output.prediction,
                entry.size,
                kept_as if may_remember and is_whole else None,
            )
            results.append(self._result(question, task, reply))
        return Answered(
            results,
            [key for key, entry in zip(keys, found, strict=True) if key and isinstance(entry, ItemFeatures)],
            any(entry.outcome == "fast" for entry in evidence)
            or any(isinstance(entry, Failure) and not entry.permanent for entry in found),
            {
                task.id: entry.reason
                for task, entry in zip(question.tasks, found, strict=True)
                if task.id is not None and isinstance(entry, Failure) and not entry.late
            },
        )

    def _predict(
        self, question: Question, served: Served, evidence: Sequence[_Evidence], places: Sequence[int], *, new: bool
    ) -> list[_Output]:
        """Predict piece by piece: tags alone once ``deadline`` has passed, nothing once ``end`` has passed."""
        drawn = question.interaction.drawn if question.interaction else None
        tagger = DrawnTagger(served.tagger, drawn) if drawn else served.tagger
        boxes = bool(question.config.rectangles)
        features = [entry.features for place in places if (entry := evidence[place]).features]
        size = self._inference.piece(new=new)
        predict = partial(self._inference.predict, str(question.project), tagger, new=new)
        outputs: list[_Output] = []
        for piece in (features[at : at + size] for at in range(0, len(features), size)):
            if time.monotonic() >= question.end:
                outputs += [_Output(None, complete=False)] * len(piece)
                continue
            complete = not boxes or time.monotonic() < question.deadline
            found = predict(piece, boxes=boxes and complete)
            failed = [place for place, prediction in enumerate(found) if prediction is None]
            if failed and boxes and complete:
                # The boxes may be what the model fails on. The tags alone are still useful.
                again = predict([piece[place] for place in failed], boxes=False)
                for place, prediction in zip(failed, again, strict=True):
                    found[place] = prediction
            outputs += [_Output(entry, complete) for entry in found]
        return outputs

    def _evidence(self, question: Question, version: str, found: Sequence[ItemFeatures | Failure]) -> list[_Evidence]:
        """Return the features of each task. Where the picture failed, they come from title and industry alone."""
        failures = {place: entry for place, entry in enumerate(found) if isinstance(entry, Failure)}
        tasks: dict[str, list[int | None]] = {}
        for place, failure in failures.items():
            problem = "late" if failure.late else "picture" if failure.permanent else "fetch"
            self._metrics.problems.labels(problem).inc()
            tasks.setdefault(failure.reason, []).append(question.tasks[place].id)
        for reason, ids in islice(tasks.items(), LOGGED):
            LOG.warning("no picture", project=str(question.project), of=len(ids), tasks=ids[:LOGGED], reason=reason)
        if len(tasks) > LOGGED:
            LOG.warning("no picture, for other reasons", project=str(question.project), reasons=len(tasks) - LOGGED)
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

    def _with_fast_names(
        self,
        question: Question,
        version: str,
        found: Sequence[ItemFeatures | Failure],
        evidence: Sequence[_Evidence],
        outputs: Sequence[_Output],
    ) -> list[_Evidence]:
        """Mark answers that can be better later as fast. Their version name makes Label Studio ask again, once."""
        fast = f"{version}{SUFFIX}"
        late = {
            place
            for place, entry in enumerate(found)
            if (not entry.permanent if isinstance(entry, Failure) else not outputs[place].complete)
        }
        ids = {place: question.tasks[place].id for place in late if not question.tasks[place].has_version(fast)}
        candidates = [number for number in ids.values() if number is not None]
        given: set[int] = set()
        # Label Studio does not store answers of interactive mode.
        if candidates and not question.interaction:
            try:
                given = self._fast.give(str(question.project), version, candidates)
            except SQLAlchemyError as error:
                LOG.error("fast answers cannot be noted, so there are none", error=str(error))
        return [
            replace(entry, version=fast, outcome="fast") if place in ids and ids[place] in given else entry
            for place, entry in enumerate(evidence)
        ]

    def _result(self, question: Question, task: TaskIn, reply: _Reply) -> TaskPrediction:
        """Return the prediction in Label Studio's format, or an empty answer where none can be given."""
        config, prediction = question.config, reply.prediction
        if prediction is None or reply.size is None:
            return self._empty(reply.version, reply.outcome if reply.size is None else "empty")
        seed = region_seed(question.project, task.id, reply.version)
        try:
            if question.interaction:
                result = question.interaction.result(prediction, reply.size, seed)
            else:
                result = result_of(config, prediction, reply.size, seed)
            answer = checked(config, result, prediction.score)
        except Exception as error:
            # Whatever the error is, the other tasks of the request must keep their answers.
            LOG.error("an answer was held back", project=str(question.project), task=task.id, reason=repr(error)[:500])
            self._metrics.problems.labels("invalid").inc()
            return self._empty(reply.version, "empty")
        self._metrics.tasks.labels(reply.outcome).inc()
        written = TaskPrediction(**answer, model_version=reply.version)
        if reply.kept_as:
            self._memory.write(reply.kept_as, json_of(written))
        return written

    def _empty(self, version: str, outcome: str) -> TaskPrediction:
        self._metrics.tasks.labels(outcome).inc()
        return TaskPrediction(result=[], score=0.0, model_version=version)


def _may_remember(question: Question, served: Served) -> bool:
    """Return whether answers depend on version and features alone: not on a drawn region, nor on sources of others."""
    return question.context is None and not served.tagger.sources.foreign


def _asked(question: Question, served: Served) -> Asked:
    return Asked(str(question.project), served.version, bool(question.config.rectangles))


def _written(question: Question, served: Served, keys: Sequence[str]) -> list[Written]:
    """Return under what the answer to each task is remembered; ``keys`` are those of the tasks' features."""
    asked = _asked(question, served)
    return [Written(asked, question.config.xml, key, task.id) for task, key in zip(question.tasks, keys, strict=True)]

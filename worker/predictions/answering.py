"""Full predictions of the served version for tasks, in the form in which the worker writes them to Label Studio."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.encoding import Failure
from labelstudio.project import ProjectKey
from labelstudio.proposals import region_seed
from labelstudio.results import checked, result_of
from model import checkpoint
from model.features.item import ItemFeatures
from model.items import Prediction
from model.weak_supervision.label_model import WeakLabel
from store.projects import Project
from worker.pictures import note_unread
from worker.predictions.choice import Choice
from worker.predictions.recalled import prediction_of, recalled
from worker.said import with_said
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

# Seconds to wait for unread pictures; short, since pictures that never arrive are tried again each time.
ARRIVAL_S = 5.0

TaskObject = Mapping[str, Any]


@dataclass(frozen=True)
class Predicted:
    """What the model says of one task, and the features that it was asked about."""

    features: ItemFeatures
    prediction: Prediction


class Answering:
    """Answers tasks of one project with the version that served when the object was made.

    The constructor raises ValueError if no version serves the project, or if the labelling config or the checkpoint
    cannot be used.
    """

    def __init__(self, workplace: Workplace, project: Project) -> None:
        self._workplace = workplace
        self._key = ProjectKey.parse(project.key)
        self._config = workplace.config_of(project)
        current = workplace.serving(project)
        self._tagger = checkpoint.load(workplace.settings.paths.checkpoints / current.folder)
        self.version = current.version
        self.generation = current.generation

    @property
    def config(self) -> LabelConfig:
        """The project's labelling config."""
        return self._config

    def answers(self, tasks: Sequence[TaskObject], choice: Choice | None = None) -> dict[int, dict[str, Any]]:
        """Return predictions (``task``, ``model_version``, ``result``, ``score``) by task id, checked as the backend's.

        A task whose picture cannot be read now, or does not arrive within ARRIVAL_S, is left out. A task whose picture
        is permanently missing is answered from its texts. ``choice`` notes the tasks that are answered.
        """
        found = self.predictions(tasks)
        if choice:
            sound = {number: entry for number, entry in found.items() if entry is not None}
            choice.note(
                list(sound),
                [entry.features for entry in sound.values()],
                [entry.prediction.probabilities for entry in sound.values()],
            )
        return {number: self.written(number, entry) for number, entry in found.items()}

    def predictions(self, tasks: Sequence[TaskObject]) -> "dict[int, Predicted | None]":
        """Return what the model says by task id, without the tasks that ``answers`` leaves out.

        None stands for a task without usable picture and texts, and for one on which the model fails. Where the answer
        was kept, the model is not asked again.
        """
        encoder, deadline = self._workplace.encoder, time.monotonic() + ARRIVAL_S
        heard, names = self._workplace.store.source_opinions, self._tagger.sources.foreign
        read = encoder.features(self._key, self._config, tasks, deadline)
        read = with_said(heard, names, self._key, self._config, tasks, read)
        by_task = dict(zip([task["id"] for task in tasks], read, strict=True))
        failures = {number: entry for number, entry in by_task.items() if isinstance(entry, Failure)}
        unread = {number: failure.reason for number, failure in failures.items() if not failure.late}
        note_unread(self._workplace.store, str(self._key), unread)
        gone = [task for task in tasks if task["id"] in failures and failures[task["id"]].permanent]
        texts = encoder.texts_only(self._key, self._config, gone) if gone else []
        known: dict[int, ItemFeatures | None] = {
            number: features for number, features in by_task.items() if not isinstance(features, Failure)
        }
        known |= dict(zip([task["id"] for task in gone], texts, strict=True))
        usable = {number: features for number, features in known.items() if features is not None}
        predicted = self._recalled([task for task in tasks if task["id"] in usable.keys() - failures.keys()])
        asked = {number: features for number, features in usable.items() if number not in predicted}
        predicted |= dict(zip(asked, self._predict(list(asked.values())), strict=True))
        found: dict[int, Predicted | None] = dict.fromkeys(known)
        for number, prediction in predicted.items():
            found[number] = Predicted(usable[number], prediction) if prediction is not None else None
        return found

    def _recalled(self, tasks: Sequence[TaskObject]) -> dict[int, Prediction | None]:
        """Return what a worker has kept of this version's answers to these tasks."""
        keys = self._workplace.encoder.keys(self._key, self._config, tasks)
        by_task = dict(zip([task["id"] for task in tasks], keys, strict=True))
        with_boxes = bool(self._config.rectangles)
        answers = self._workplace.store.answers
        found = recalled(answers, str(self._key), self.version, by_task, with_boxes=with_boxes)
        return {number: prediction_of(answer) for number, answer in found.items()}

    def speaking(self, features: Sequence[ItemFeatures]) -> list[dict[str, str]]:
        """Return for each item, by label, the source that adds most to the label's log-odds; "" where none adds any."""
        tagger, weak = self._tagger, self._tagger.weak_labels(features)
        most_NK, source_NK = weak.provenance_SNK.max(0)
        return [
            {
                label: weak.sources[source] if most > 0 else ""
                for label, most, source in zip(tagger.labels, most_K, source_K, strict=True)
            }
            for most_K, source_K in zip(most_NK.tolist(), source_NK.tolist(), strict=True)
        ]

    def weak_labels(self, features: Sequence[ItemFeatures]) -> list[dict[str, WeakLabel]]:
        """Return the weak labels of each item, by label."""
        weak = self._tagger.weak_labels(features) if features else None
        return [weak.of(item, self._tagger.labels) for item in range(len(features))] if weak else []

    def written(self, number: int, found: "Predicted | None") -> dict[str, Any]:
        """Return what the model says of a task in the form of Label Studio; an empty answer for None."""
        answer: dict[str, Any] = {"result": [], "score": 0.0}
        if found is not None:
            try:
                seed = region_seed(self._key, number, self.version)
                result = result_of(self._config, found.prediction, found.features.size, seed)
                answer = checked(self._config, result, found.prediction.score)
            # An error in one task must not take the answers of the other tasks away.
            except Exception as error:
                LOG.error("%s: the answer to task %d was held back: %r", self._key, number, error)
        return {"task": number, "model_version": self.version, **answer}

    def read(self, tasks: Sequence[TaskObject]) -> list[TaskObject]:
        """Return the tasks whose pictures have been read already."""
        unread = self._workplace.encoder.unread(self._key, self._config, tasks)
        return [task for task, is_unread in zip(tasks, unread, strict=True) if not is_unread]

    def _predict(self, features: Sequence[ItemFeatures]) -> list[Prediction | None]:
        """Return one prediction per item. If the model fails, each item is tried alone; None where it fails again."""
        if not features:
            return []
        try:
            return [*self._tagger.predict(features, boxes=bool(self._config.rectangles))]
        except Exception as error:
            if len(features) > 1:
                return [prediction for entry in features for prediction in self._predict([entry])]
            LOG.error("%s: the model failed on a task: %r", self._key, error)
            return [None]

"""Tasks → whole predictions of the version that serves, as the worker writes them into Label Studio."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from labelstudio.encoding import Failure
from labelstudio.project import ProjectKey
from labelstudio.proposals import region_seed
from labelstudio.results import checked, result_of
from model import checkpoint
from model.features.item import ItemFeatures
from model.items import Prediction
from store.projects import Project
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

ARRIVAL_S = 5.0  # for unread pictures to come: those that never do are met again and again

Task = Mapping[str, Any]


class Answering:
    """Answers tasks of one project under the version that served when this was made.

    Making it raises ValueError for a labelling config or a checkpoint that cannot be used, or where none serves.
    """

    def __init__(self, workplace: Workplace, project: Project) -> None:
        self._workplace = workplace
        self._key = ProjectKey.parse(project.key)
        self._config = workplace.config_of(project)
        current = workplace.serving(project)
        self._tagger = checkpoint.load(workplace.settings.paths.checkpoints / current.folder)
        self.version = current.version
        self.generation = current.generation

    def answers(self, tasks: Sequence[Task]) -> dict[int, dict[str, Any]]:
        """Task id → prediction (``task``, ``model_version``, ``result``, ``score``), checked as the backend's are.

        A task whose picture cannot be had for now, or does not come soon, is left out; one whose picture is gone for
        good is answered from its texts.
        """
        known = self._features(tasks)
        said = iter(self._say([features for features in known.values() if features is not None]))
        return {
            number: self._answer(number, features, next(said) if features is not None else None)
            for number, features in known.items()
        }

    def read(self, tasks: Sequence[Task]) -> list[Task]:
        """Those of these tasks whose pictures were read already."""
        unread = self._workplace.encoder.unread(self._key, self._config, tasks)
        return [task for task, is_unread in zip(tasks, unread, strict=True) if not is_unread]

    def _features(self, tasks: Sequence[Task]) -> dict[int, ItemFeatures | None]:
        """None for a task of which nothing is known: neither picture nor text."""
        encoder, deadline = self._workplace.encoder, time.monotonic() + ARRIVAL_S
        features = encoder.features(self._key, self._config, tasks, deadline)
        found = dict(zip([task["id"] for task in tasks], features, strict=True))
        gone = [task for task in tasks if isinstance(fail := found[task["id"]], Failure) and fail.permanent]
        texts = encoder.texts_only(self._key, self._config, gone) if gone else []
        read = {number: answer for number, answer in found.items() if not isinstance(answer, Failure)}
        return {**read} | dict(zip([task["id"] for task in gone], texts, strict=True))

    def _say(self, features: Sequence[ItemFeatures]) -> list[Prediction | None]:
        """One prediction per item; if the model fails on them, each alone, and None where it fails again."""
        if not features:
            return []
        try:
            return [*self._tagger.predict(features, boxes=bool(self._config.rectangles))]
        except Exception as error:
            if len(features) > 1:
                return [prediction for entry in features for prediction in self._say([entry])]
            LOG.error("%s: the model failed on a task: %r", self._key, error)
            return [None]

    def _answer(self, number: int, features: ItemFeatures | None, prediction: Prediction | None) -> dict[str, Any]:
        answer: dict[str, Any] = {"result": [], "score": 0.0}
        if features is None or prediction is None:
            return {"task": number, "model_version": self.version, **answer}
        try:
            result = result_of(self._config, prediction, features.size, region_seed(self._key, number, self.version))
            answer = checked(self._config, result, prediction.score)
        except Exception as error:  # whatever it is, the other tasks have their answers
            LOG.error("%s: the answer to task %d was held back: %r", self._key, number, error)
        return {"task": number, "model_version": self.version, **answer}

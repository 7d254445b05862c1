"""The order in which tasks are best labelled, told to Label Studio by the scores of their predictions.

Label Studio's uncertainty sampling shows the task with the lowest score first. The lowest scores alone would often be
those of one product's views, one after the other. So tasks are put in the order of an active choice (`model.choice`),
and exchange their scores: the first task gets the lowest of all their scores, the next one the second lowest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.choice import order_of
from model.features.item import ItemFeatures
from model.items import Prediction
from model.weak_supervision.propagation import Embedding
from worker.corpus.families import family_of
from worker.predictions.stored import Answer, TaskObject


@dataclass(frozen=True, eq=False)
class _View:
    """What the order needs of one task: (K,) probabilities, (D,) vector and product."""

    probability_K: Tensor
    vector_D: Tensor
    family: str


class Choice:
    """Collects what the order needs of tasks as they are answered; their features may be forgotten then.

    ``family_key`` is the setting of that name. The vectors are centred on the first tasks that are noted.
    """

    def __init__(self, family_key: str, seed: int) -> None:
        self._family_key = family_key
        self._seed = seed
        self._embedding: Embedding | None = None
        self._views: dict[int, _View] = {}

    def note(
        self, tasks: Sequence[TaskObject], features: Sequence[ItemFeatures], predictions: Sequence[Prediction]
    ) -> None:
        """Note tasks with the features and predictions from which they are answered."""
        if not features:
            return
        self._embedding = self._embedding or Embedding.of(features)
        vectors_ND = self._embedding.vectors(features)
        for task, item, prediction, vector_D in zip(tasks, features, predictions, vectors_ND, strict=True):
            family = family_of(item.title, task["data"], task["id"], self._family_key)
            self._views[task["id"]] = _View(torch.tensor(list(prediction.probabilities.values())), vector_D, family)

    def ordered(self, answers: dict[int, Answer]) -> dict[int, Answer]:
        """Return the answers in the order in which their tasks are best labelled, with scores that say so.

        Tasks that were not noted, because nothing of them could be used, come last.
        """
        noted = [number for number in answers if number in self._views]
        views = [self._views.pop(number) for number in noted]
        order = []
        if views:
            likely_NK = torch.stack([view.probability_K for view in views])
            vectors_ND = torch.stack([view.vector_D for view in views])
            order = order_of(likely_NK, vectors_ND, [view.family for view in views], seed=self._seed)
        numbers = [*(noted[row] for row in order), *(number for number in answers if number not in set(noted))]
        scores = sorted(float(answer["score"]) for answer in answers.values())
        return {number: {**answers[number], "score": score} for number, score in zip(numbers, scores, strict=True)}

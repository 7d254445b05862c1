"""The order in which tasks are best labelled, told to Label Studio by the scores of their predictions.

Label Studio's uncertainty sampling shows the task with the lowest score first. The lowest scores alone would often be
those of one product's views, one after the other. So tasks are put in the order of an active choice (`model.choice`),
and exchange their scores: the first task gets the lowest of all their scores, the next one the second lowest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.choice import order_of
from model.features.item import ItemFeatures
from model.weak_supervision.propagation import Embedding
from worker.corpus.kin import Kin
from worker.predictions.stored import Answer


@dataclass(frozen=True, eq=False)
class _View:
    """What the order needs of one task: (K,) probabilities and (D,) vector."""

    probability_K: Tensor
    vector_D: Tensor


class Choice:
    """Collects what the order needs of tasks as they are answered; their features may be forgotten then.

    Of kin (views of one product, look-alikes) one task comes before any second one, and those that are kin of labelled
    tasks, or of tasks of an order before, come with the second ones. The vectors are centred on the first tasks noted.
    """

    def __init__(self, kin: Kin, seed: int) -> None:
        self._kin = kin
        self._had = set(kin.labelled)
        self._seed = seed
        self._embedding: Embedding | None = None
        self._views: dict[int, _View] = {}

    def note(
        self, numbers: Sequence[int], features: Sequence[ItemFeatures], probabilities: Sequence[Mapping[str, float]]
    ) -> None:
        """Note tasks by their ids, with the features and the probabilities of their labels."""
        if not features:
            return
        self._embedding = self._embedding or Embedding.of(features)
        for number, likely, vector_D in zip(numbers, probabilities, self._embedding.vectors(features), strict=True):
            self._views[number] = _View(torch.tensor(list(likely.values())), vector_D)

    def order(self, count: int | None = None) -> list[int]:
        """Return the noted tasks in the order in which they are best labelled, ``count`` or all, and forget them."""
        views, self._views = self._views, {}
        if not views:
            return []
        likely_NK = torch.stack([view.probability_K for view in views.values()])
        vectors_ND = torch.stack([view.vector_D for view in views.values()])
        names = [self._kin.of(number) for number in views]
        rows = order_of(likely_NK, vectors_ND, names, labelled=self._had, count=count, seed=self._seed)
        self._had.update(names)
        numbers = list(views)
        return [numbers[row] for row in rows]

    def ordered(self, answers: dict[int, Answer]) -> dict[int, Answer]:
        """Return the answers in the order in which their tasks are best labelled, with scores that say so.

        Tasks that were not noted, because nothing of them could be used, come last.
        """
        noted = [number for number in self.order() if number in answers]
        numbers = list(dict.fromkeys([*noted, *answers]))
        scores = sorted(float(answer["score"]) for answer in answers.values())
        return {number: {**answers[number], "score": score} for number, score in zip(numbers, scores, strict=True)}

"""Answers that were given, by version and item, so that a task that is asked for again costs a look-up.

A version never changes, and neither does what it says of the same features. So an answer is remembered until others
need the room. What this process has not answered itself may be in the store, where a worker keeps the answers of the
served version (`worker.predictions.kept`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from labelstudio.kept import Kept
from model.items import Box, PredictedBox, Prediction
from store.answers import Answer, Answers

LOG = structlog.stdlib.get_logger(__name__)

# Answers, and boxes of all answers together: some 100 MB.
MOST, MOST_BOXES = 50_000, 500_000
# Answers as they were written, and their bytes.
MOST_WRITTEN, MOST_BYTES = 20_000, 32_000_000


@dataclass(frozen=True)
class Remembered:
    """What a version says of an item, and width and height of the item's upright picture in pixels."""

    prediction: Prediction
    size: tuple[int, int]


@dataclass(frozen=True)
class Asked:
    """The version of a project that answers, and whether it is asked for boxes beside tags."""

    project: str
    version: str
    with_boxes: bool


@dataclass(frozen=True)
class Written:
    """What an answer as it was written depends on: who was asked, the labelling config, the item and the task's id."""

    asked: Asked
    label_config: str
    item_key: str
    task_id: int | None


class Memory:
    """The answers of this process, and those of the store. Threads may share it."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._kept: Kept[tuple[Asked, str], Remembered] = Kept(MOST, MOST_BOXES)
        self._written: Kept[Written, bytes] = Kept(MOST_WRITTEN, MOST_BYTES)

    def written(self, answers: Sequence[Written]) -> list[bytes] | None:
        """Return the JSON of these answers if all of them were written before, else None. Never waits."""
        found = []
        for one in answers:
            if (content := self._written.get(one)) is None:
                return None
            found.append(content)
        return found

    def write(self, answer: Written, content: bytes) -> None:
        """Remember the JSON of an answer."""
        self._written.put(answer, content, len(content))

    def find(
        self, asked_of: Asked, task_ids: Sequence[int | None], item_keys: Sequence[str]
    ) -> list[Remembered | None]:
        """Return what is known to be said of these tasks, in order; None where that is not known.

        ``item_keys`` are the keys of their features; "" for a task without features.
        """
        found = [self._kept.get((asked_of, key)) if key else None for key in item_keys]
        asked = {
            task_id: place
            for place, (task_id, key) in enumerate(zip(task_ids, item_keys, strict=True))
            if key and task_id is not None and found[place] is None
        }
        if not asked:
            return found
        try:
            stored = self._answers.of_tasks(asked_of.project, asked_of.version, asked)
        except SQLAlchemyError as error:
            # The model gives the same answer, later.
            LOG.warning("kept answers cannot be read", project=asked_of.project, error=str(error))
            return found
        for task_id, answer in stored.items():
            place = asked[task_id]
            # It may have been kept before the labelling config got or lost its boxes. An answer with boxes was given to
            # a config that has them; of one without boxes nobody knows, so it serves only where there are none.
            if answer.item_key == item_keys[place] and bool(answer.boxes) is asked_of.with_boxes:
                found[place] = self.keep(asked_of, answer.item_key, _remembered(answer))
        return found

    def keep(self, asked_of: Asked, item_key: str, answer: Remembered) -> Remembered:
        """Remember an answer, and return it."""
        self._kept.put((asked_of, item_key), answer, 1 + len(answer.prediction.boxes))
        return answer


def _remembered(answer: Answer) -> Remembered:
    boxes = tuple(PredictedBox(label, Box(*edges), score) for label, *edges, score in answer.boxes)
    return Remembered(Prediction(answer.probabilities, answer.labels, boxes, answer.score), answer.size)

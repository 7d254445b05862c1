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
from model.items import Prediction
from store.answers import Answers
from worker.predictions.recalled import prediction_of, recalled

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
        places = {
            task_id: place
            for place, (task_id, key) in enumerate(zip(task_ids, item_keys, strict=True))
            if key and task_id is not None and found[place] is None
        }
        if not places:
            return found
        asked = {task_id: item_keys[place] for task_id, place in places.items()}
        project, version = asked_of.project, asked_of.version
        try:
            stored = recalled(self._answers, project, version, asked, with_boxes=asked_of.with_boxes)
        except SQLAlchemyError as error:
            # The model gives the same answer, later.
            LOG.warning("kept answers cannot be read", project=project, error=str(error))
            return found
        for task_id, answer in stored.items():
            known = Remembered(prediction_of(answer), answer.size)
            found[places[task_id]] = self.keep(asked_of, answer.item_key, known)
        return found

    def keep(self, asked_of: Asked, item_key: str, answer: Remembered) -> Remembered:
        """Remember an answer, and return it."""
        self._kept.put((asked_of, item_key), answer, 1 + len(answer.prediction.boxes))
        return answer

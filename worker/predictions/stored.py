"""What a task has stored in Label Studio, and how it comes to say what one version says without taking work away.

A prediction of ours is rewritten in place. It is not deleted, for somebody may have it open: Label Studio refuses a
Submit that names a prediction which has gone. One that an annotation was made from is never touched: it tells what the
person changed. Where a task has several, the first is kept, because the editor shows that one; the others are deleted
once nobody can have them open any more.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.project import ProjectKey
from store.fast_answers import SUFFIX
from store.projects import Project
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

OPEN_S = 3600.0  # how long an editor may stay open with a prediction that is to be deleted

Task = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """What has to be done with one task's predictions, by their ids, so that ours say what the served version says."""

    rewrite: tuple[int, ...] = ()
    delete: tuple[int, ...] = ()
    create: bool = False

    @property
    def needs_answer(self) -> bool:
        return self.create or bool(self.rewrite)

    def __bool__(self) -> bool:
        return self.needs_answer or bool(self.delete)


def changes(task: Task, version: str, ours: Collection[str], now: float) -> Changes:
    """For a task with its annotations and predictions. ``ours`` are names of versions, ``now`` is a unix second."""
    used = used_by(task)
    mine = sorted((one for one in task["predictions"] if _version(one) in ours), key=lambda one: int(one["id"]))
    free = [one for one in mine if one["id"] not in used]
    is_said = any(one["model_version"] == version for one in mine if one["id"] in used)
    surplus = free if is_said else free[1:]
    gone = {one["id"] for one in surplus if now - _second(one["created_at"]) > OPEN_S}
    outdated = [one["id"] for one in free if one["id"] not in gone and one["model_version"] != version]
    return Changes(tuple(outdated), tuple(sorted(gone)), create=not free and not is_said)


def used_by(task: Task) -> set[int]:
    """Predictions that the task's annotations, skipped ones too, were made from."""
    found = (annotation.get("parent_prediction") for annotation in task["annotations"])
    return {int(number) for number in found if number is not None}


class Stored:
    """The stored predictions of one project's tasks."""

    def __init__(self, workplace: Workplace, project: Project, client: LabelStudioClient) -> None:
        self._annotations = workplace.store.annotations
        self._key = project.key
        self._number = ProjectKey.parse(project.key).id
        self._client = client
        self._ours = frozenset(entry.version for entry in workplace.store.versions.list(project.key))

    def tasks(self, ids: Sequence[int]) -> list[Task]:
        """These tasks as Label Studio has them now."""
        return list(self._client.tasks_named(self._number, ids))

    def is_ours(self, prediction: Mapping[str, Any]) -> bool:
        return _version(prediction) in self._ours

    def changes(self, task: Task, version: str) -> Changes:
        return changes(task, version, self._ours, time.time())

    def apply(self, due: Sequence[tuple[Task, Changes, Answer | None]]) -> tuple[int, int]:
        """Do it, with answers for those that need one; how many predictions were written and how many deleted.

        A task that was annotated since it was read is left as it is. What Label Studio refuses of one task (it was
        deleted, say) does not keep the others. Raises LabelStudioError when Label Studio does not answer.
        """
        written = deleted = 0
        due = [entry for entry in due if not self._is_annotated_since(entry[0])]
        for _, todo, answer in due:
            for number in todo.rewrite if answer else ():
                written += self._try("rewritten", self._client.replace_prediction, number, answer)
            for number in todo.delete:
                deleted += self._try("deleted", self._client.delete_prediction, number)
        return written + self._create([answer for _, todo, answer in due if todo.create and answer]), deleted

    def _is_annotated_since(self, task: Task) -> bool:
        """Label Studio tells us of a submitted annotation before it answers the annotator."""
        known = self._annotations.heard_of(self._key, [task["id"]])
        return not known.keys() <= {annotation["id"] for annotation in task["annotations"]}

    def _create(self, answers: Sequence[Answer]) -> int:
        try:
            return self._client.post_predictions(self._number, answers)
        except LabelStudioError as error:
            if error.status != 400:
                raise
        # One of them is refused, and with it all.
        return sum(self._try("stored", self._client.post_predictions, self._number, [answer]) for answer in answers)

    def _try(self, done: str, call: Callable[..., object], *arguments: object) -> int:
        try:
            call(*arguments)
        except LabelStudioError as error:
            if error.status not in (400, 404):
                raise
            LOG.warning("%s: a prediction was not %s: %s", self._key, done, error)
            return 0
        return 1


def _version(prediction: Mapping[str, Any]) -> str:
    return str(prediction["model_version"]).removesuffix(SUFFIX)


def _second(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()

"""The predictions that Label Studio has stored for tasks, and the changes that make them those of one version.

A prediction of this backend is rewritten in place. It is not deleted, because an annotator may have it open, and Label
Studio refuses a Submit that names a deleted prediction. A prediction that an annotation was made from is never changed,
because it shows what the person changed. If a task has several predictions, the first is kept, because the editor shows
that one; the others are deleted when no editor can have them open any more.
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

# Seconds that an editor may stay open with a prediction that is to be deleted.
OPEN_S = 3600.0

TaskObject = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """The changes to one task's predictions, by id, that leave it with one prediction of the served version.

    With ``is_crowded`` a second one stays for now, since an editor may still have it open.
    """

    rewrite: tuple[int, ...] = ()
    delete: tuple[int, ...] = ()
    create: bool = False
    is_crowded: bool = False

    @property
    def needs_answer(self) -> bool:
        return self.create or bool(self.rewrite)

    def __bool__(self) -> bool:
        return self.needs_answer or bool(self.delete)


def changes(task: TaskObject, version: str, ours: Collection[str], now: float) -> Changes:
    """Return the changes for one task. ``ours`` are this backend's versions, ``now`` is in unix seconds."""
    used = used_by(task)
    mine = sorted((one for one in task["predictions"] if _version(one) in ours), key=lambda one: int(one["id"]))
    free = [one for one in mine if one["id"] not in used]
    is_current = any(one["model_version"] == version for one in mine if one["id"] in used)
    surplus = free if is_current else free[1:]
    # Younger ones stay: an editor may still have them open.
    gone = {one["id"] for one in surplus if now - datetime.fromisoformat(one["created_at"]).timestamp() > OPEN_S}
    outdated = [one["id"] for one in free if one["id"] not in gone and one["model_version"] != version]
    create, is_crowded = not free and not is_current, len(gone) < len(surplus)
    return Changes(tuple(outdated), tuple(sorted(gone)), create, is_crowded)


def used_by(task: TaskObject) -> set[int]:
    """Return the ids of predictions from which the task's annotations, including skipped ones, were made."""
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

    def tasks(self, ids: Sequence[int]) -> list[TaskObject]:
        """Read these tasks from Label Studio."""
        return list(self._client.tasks_named(self._number, ids))

    def predicted_by(self, after: int, version: str) -> list[int]:
        """Return the ids of the next tasks above ``after`` that may have a prediction of this version."""
        return self._client.tasks_predicted_by(self._number, after, version)

    def is_ours(self, prediction: Mapping[str, Any]) -> bool:
        return _version(prediction) in self._ours

    def changes(self, task: TaskObject, version: str) -> Changes:
        return changes(task, version, self._ours, time.time())

    def rewriting(self, task: TaskObject) -> Changes:
        """Return the changes that write an answer into each prediction of ours that no annotation was made from."""
        used = used_by(task)
        return Changes(
            tuple(sorted(one["id"] for one in task["predictions"] if self.is_ours(one) and one["id"] not in used))
        )

    def apply(self, due: Sequence[tuple[TaskObject, Changes, Answer | None]]) -> tuple[int, int]:
        """Make these changes, with answers for the tasks that need one; return the numbers of written and deleted ones.

        A task that was annotated after it was read is left as it is. If Label Studio refuses a change of one task, for
        example because the task was deleted, the other tasks are still changed. Raises LabelStudioError when Label
        Studio does not answer.
        """
        written = deleted = 0
        unchanged = []
        for entry in due:
            task = entry[0]
            # Label Studio sends the webhook of a submitted annotation before it answers the annotator.
            known = self._annotations.heard_of(self._key, [task["id"]])
            if known.keys() <= {annotation["id"] for annotation in task["annotations"]}:
                unchanged.append(entry)
        for _, todo, answer in unchanged:
            for number in todo.rewrite if answer else ():
                written += self._try("rewritten", self._client.replace_prediction, number, answer)
            for number in todo.delete:
                deleted += self._try("deleted", self._client.delete_prediction, number)
        created = [answer for _, todo, answer in unchanged if todo.create and answer]
        try:
            return written + self._client.post_predictions(self._number, created), deleted
        except LabelStudioError as error:
            if error.status != 400:
                raise
        # Label Studio refuses all predictions of a request if it refuses one, so each is sent alone.
        for answer in created:
            written += self._try("stored", self._client.post_predictions, self._number, [answer])
        return written, deleted

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

"""Remove the stored predictions of versions that a person has taken back, except those that annotations were made from.

They are rewritten by the served version's, not deleted: Label Studio refuses a Submit that names a deleted prediction,
and deleting takes from an annotation what it was made from (docs/decisions/0035-refreshed-predictions.md).
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from store.fast_answers import SUFFIX
from store.projects import Project
from worker.predictions.answering import Answering
from worker.predictions.stored import OPEN_S, Answer, Changes, Stored, TaskObject, changes, used_by
from worker.watch import Ends
from worker.workplace import Workplace

# Tasks that are changed between two checks whether the job must end.
PART = 16


def remove_due(workplace: Workplace, project: Project, watch: Ends) -> list[str]:
    """Do what is asked for; return one line about each removal.

    Raises Interrupted when the job must end, LabelStudioError when Label Studio does not answer, and ValueError for a
    labelling config or a checkpoint that cannot be used. The next run goes on with what is left.
    """
    removals, at = workplace.store.prediction_removals, workplace.store.now()
    due = [one for one in removals.all(project.key).values() if not one.done_at and one.due_at <= at]
    if not due:
        return []
    client = workplace.client_of(project)
    answering, stored = Answering(workplace, project), Stored(workplace, project, client)
    told = []
    for one in due:
        removing = _Removing(answering, stored, one.version)
        # Where it serves again, its predictions are those that are wanted.
        is_over = one.version == answering.version or not client.connection.url
        try:
            if not is_over:
                removing.run(watch)
                is_over = not removing.left
        finally:
            removals.progress(
                project.key,
                one.version,
                removed=removing.removed,
                kept=removing.kept,
                again_s=None if is_over else OPEN_S if removing.left else 0.0,
            )
        told.append(f"{removing.removed} predictions of {one.version} removed, {removing.kept} stay with annotations")
    return told


class _Removing:
    """The removal of one version's predictions, and its counts.

    ``left`` predictions could not be replaced, since their picture is not to be had, and are too young to be deleted.
    """

    def __init__(self, answering: Answering, stored: Stored, version: str) -> None:
        self.removed = self.kept = self.left = 0
        self._answering = answering
        self._stored = stored
        self._version = version

    def run(self, watch: Ends) -> None:
        after = 0
        while page := self._stored.predicted_by(after, self._version):
            after = page[-1]
            for start in range(0, len(page), PART):
                tasks = self._stored.tasks(page[start : start + PART])
                before = sum(len(self._free(task)) for task in tasks)
                self.kept += sum(len(self._of_version(task)) for task in tasks) - before
                self._replace(tasks)
                left = sum(len(self._free(task)) for task in self._stored.tasks([task["id"] for task in tasks]))
                self.removed, self.left = self.removed + before - left, self.left + left
                watch.check()

    def _replace(self, tasks: list[TaskObject]) -> None:
        served, now = self._answering.version, time.time()
        todo = {
            task["id"]: replace(changes(task, served, {self._version, served}, now), create=False)
            for task in tasks
            if self._free(task)
        }
        answers = self._answering.answers([task for task in tasks if task["id"] in todo])
        due: list[tuple[TaskObject, Changes, Answer | None]] = []
        for task in tasks:
            if task["id"] in answers:
                due.append((task, todo[task["id"]], answers[task["id"]]))
            elif task["id"] in todo:
                # Without its picture nothing can be put in its place. Old ones are in no editor any more.
                old = tuple(one["id"] for one in self._free(task) if now - _made(one) > OPEN_S)
                due.append((task, Changes(delete=old), None))
        self._stored.apply(due)

    def _of_version(self, task: TaskObject) -> list[Mapping[str, Any]]:
        names = (self._version, self._version + SUFFIX)
        return [one for one in task["predictions"] if one["model_version"] in names]

    def _free(self, task: TaskObject) -> list[Mapping[str, Any]]:
        """Return the predictions of the version that no annotation was made from."""
        used = used_by(task)
        return [one for one in self._of_version(task) if one["id"] not in used]


def _made(prediction: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(prediction["created_at"]).timestamp()

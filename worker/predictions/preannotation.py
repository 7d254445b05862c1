"""Predictions stored in Label Studio, brought up to the version that serves.

What is still to do is read from Label Studio itself: a task is due when it has no prediction of the served version. So
a run that was ended anywhere goes on where it stopped, and two runs write nothing twice.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelstudio.project import ProjectKey
from store.projects import Project
from worker.predictions.answering import Answering
from worker.training.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

PART = 16  # tasks answered between two looks at whether the run must end

Progress = Callable[[Mapping[str, Any]], None]
Task = Mapping[str, Any]


@dataclass(frozen=True)
class Refreshed:
    """What a run did. ``unread`` tasks have a picture that cannot be had for now; they stay due."""

    version: str
    generation: int
    tasks: int = 0
    written: int = 0
    unread: int = 0
    deleted: int = 0

    def __str__(self) -> str:
        return (
            f"{self.version}: {self.written} predictions written for {self.tasks} tasks, {self.unread} pictures not "
            f"to be had, {self.deleted} superseded predictions deleted"
        )


class _Overtaken(Exception):  # noqa: N818 - it says what happened
    """Another version serves now."""


def refresh(
    workplace: Workplace, project: Project, watch: Ends, progress: Progress, *, unlabelled_only: bool = False
) -> Refreshed:
    """See that each task (or each that nobody has labelled) has a prediction of the served version in Label Studio.

    Deletes superseded ones if the settings say so. Starts over when another version serves meanwhile. Raises
    LabelStudioError when Label Studio does not answer, Interrupted when the job must end, ValueError for a labelling
    config or a checkpoint that cannot be used.
    """
    while True:
        try:
            return _Refresh(workplace, project, watch, progress, unlabelled_only).run()
        except _Overtaken:
            LOG.info("%s: another version serves now; its predictions are written instead", project.key)


class _Refresh:
    """One pass over the project's pages under one version."""

    def __init__(
        self, workplace: Workplace, project: Project, watch: Ends, progress: Progress, unlabelled_only: bool
    ) -> None:
        self._workplace, self._watch, self._progress = workplace, watch, progress
        self._unlabelled_only = unlabelled_only
        self._key = ProjectKey.parse(project.key)
        self._client = workplace.client_of(project)
        self._answering = Answering(workplace, project)
        self._ours = {entry.version for entry in workplace.store.versions.list(project.key)}
        self._done = Refreshed(self._answering.version, self._answering.generation)

    def run(self) -> Refreshed:
        total = int(self._client.project(self._key.id).get("task_number") or 0)
        page, is_last = 1, False
        while not is_last:
            tasks, is_last = self._client.task_page(self._key.id, page)
            self._refresh_page(tasks, total)
            page += 1
        return self._done

    def _refresh_page(self, tasks: Sequence[Task], total: int) -> None:
        wanted = [task for task in tasks if not (self._unlabelled_only and task.get("is_labeled"))]
        current = {task["id"] for task in wanted if self._done.version in _versions(task)}
        due = [task for task in wanted if task["id"] not in current]
        for start in range(0, len(due), PART):
            self._check()
            current |= self._write(due[start : start + PART])
            self._progress({"stage": "writing predictions", "done": self._done.tasks + start, "total": total})
        self._check()
        if self._workplace.settings.superseded_predictions == "delete":
            self._delete([task for task in wanted if task["id"] in current])
        self._done = replace(self._done, tasks=self._done.tasks + len(tasks))
        self._progress({"stage": "writing predictions", "done": self._done.tasks, "total": total})

    def _check(self) -> None:
        self._watch.check()
        current = self._workplace.store.versions.current(str(self._key))
        if current is None or current.generation != self._done.generation:
            raise _Overtaken

    def _write(self, tasks: Sequence[Task]) -> set[int]:
        """Answer these tasks; the ids of those that have a prediction of the version now."""
        known = self._answering.answers(tasks)
        self._client.post_predictions(self._key.id, list(known.values()))
        unread = len(tasks) - len(known)
        self._done = replace(self._done, written=self._done.written + len(known), unread=self._done.unread + unread)
        return set(known)

    def _delete(self, tasks: Sequence[Task]) -> None:
        """Of these tasks, which have the served version's prediction, delete what earlier versions of ours said."""
        for task in tasks:
            used = {annotation.get("parent_prediction") for annotation in task.get("annotations") or []}
            for prediction in task.get("predictions") or []:
                name = str(prediction.get("model_version"))
                is_ours = name.partition("+")[0] in self._ours and name != self._done.version
                if is_ours and prediction["id"] not in used:
                    self._client.delete_prediction(prediction["id"])
                    self._done = replace(self._done, deleted=self._done.deleted + 1)


def _versions(task: Task) -> set[str]:
    return {str(prediction.get("model_version")) for prediction in task.get("predictions") or []}

"""Fast predictions → whole ones, in place, through Label Studio's API: its quick view never asks again by itself.

One that an annotation was made from stays as it is.
"""

import logging
from collections.abc import Collection, Sequence

from labelstudio.api import LabelStudioClient, LabelStudioError
from store.database import is_over
from store.fast_answers import SUFFIX, FastAnswer
from store.projects import Project
from worker.predictions.answering import Answering
from worker.predictions.stored import Stored, Task, used_by
from worker.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

PART = 8  # tasks replaced between two looks at whether the job must end
AGAIN_S = 60.0  # until what did not work is tried again
PATIENCE_S = 150.0  # Label Studio stores an answer within its time-out of 100 s, or never


def replace_due(workplace: Workplace, project: Project, watch: Ends) -> int:
    """Replace the project's fast predictions that are due; how many were. Interrupted when the job must end.

    ValueError for a labelling config or a checkpoint that cannot be used. What is left over comes due again.
    """
    answers = workplace.store.fast_answers
    due = answers.due(project.key)
    if not due:
        return 0
    answers.postpone(project.key, due, AGAIN_S)  # first: whatever happens now, it is not tried again all the time
    client = workplace.client_of(project)
    if not client.connection.url:
        answers.settle(project.key, due)
        return 0
    run = _Run(workplace, project, client)
    try:
        for start in range(0, len(due), PART):
            watch.check()
            run.replace(due[start : start + PART])
    except LabelStudioError as error:
        LOG.warning("%s: fast predictions stay for now: %s", project.key, error)
    return run.replaced


class _Run:
    """One look at a project's fast predictions, under the version that serves."""

    def __init__(self, workplace: Workplace, project: Project, client: LabelStudioClient) -> None:
        self._store = workplace.store
        self._project = project.key
        self._stored = Stored(workplace, project, client)
        self._answering = Answering(workplace, project)
        self.replaced = 0

    def replace(self, due: Sequence[FastAnswer]) -> None:
        there = {task["id"]: task for task in self._stored.tasks(sorted({answer.task_id for answer in due}))}
        whole = self._answering.answers([task for task in there.values() if _fast_of(task) - used_by(task)])
        changed = [(there[number], answer) for number, answer in whole.items()]
        version = self._answering.version
        written, _ = self._stored.apply([(task, self._stored.changes(task, version), to) for task, to in changed])
        self.replaced += written
        done = [answer for answer in due if self._is_done_with(answer, there.get(answer.task_id), whole)]
        self._store.fast_answers.settle(self._project, done)

    def _is_done_with(self, answer: FastAnswer, task: Task | None, whole: Collection[int]) -> bool:
        stored = (
            [one["id"] for one in task["predictions"] if one["model_version"] == answer.version + SUFFIX]
            if task
            else []
        )
        if task is None or not stored:
            return is_over(self._store.now(), answer.given_at + PATIENCE_S, 2 * PATIENCE_S)
        # Else its picture cannot be had yet.
        return task["id"] in whole or used_by(task).issuperset(stored)


def _fast_of(task: Task) -> set[int]:
    """The task's stored fast predictions."""
    return {one["id"] for one in task["predictions"] if str(one["model_version"]).endswith(SUFFIX)}

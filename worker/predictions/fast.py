"""Replace fast predictions by full ones through Label Studio's API, because its quick view never asks again.

A fast prediction that an annotation was made from stays as it is.
"""

import logging
from collections.abc import Sequence

from labelstudio.api import LabelStudioClient, LabelStudioError
from store.database import is_over
from store.fast_answers import SUFFIX, FastAnswer
from store.projects import Project
from worker.predictions.answering import Answering
from worker.predictions.stored import OPEN_S, Stored, used_by
from worker.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

# Tasks that are replaced between two checks whether the job must end.
PART = 8
# Seconds until a replacement that failed is tried again.
AGAIN_S = 60.0
# Seconds after which an answer that is not stored is given up: Label Studio's own time-out is 100 s.
PATIENCE_S = 150.0


def replace_due(workplace: Workplace, project: Project, watch: Ends) -> int:
    """Replace the project's fast predictions that are due; return how many were replaced.

    Raises Interrupted when the job must end, ValueError for a labelling config or a checkpoint that cannot be used.
    Predictions that were not replaced become due again.
    """
    answers = workplace.store.fast_answers
    due = answers.due(project.key)
    if not due:
        return 0
    # Postponed first, so that a replacement that fails, or kills this process, is not tried again at once.
    answers.postpone(project.key, due, AGAIN_S)
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
    """One pass over a project's fast predictions, with the served version."""

    def __init__(self, workplace: Workplace, project: Project, client: LabelStudioClient) -> None:
        self._store = workplace.store
        self._project = project.key
        self._stored = Stored(workplace, project, client)
        self._answering = Answering(workplace, project)
        self.replaced = 0

    def replace(self, due: Sequence[FastAnswer]) -> None:
        """Replace these fast predictions, and settle those of them that need no further attempt."""
        tasks = {task["id"]: task for task in self._stored.tasks(sorted({answer.task_id for answer in due}))}
        # Tasks with a fast prediction that no annotation was made from.
        replaceable = [
            task
            for task in tasks.values()
            if {one["id"] for one in task["predictions"] if str(one["model_version"]).endswith(SUFFIX)} - used_by(task)
        ]
        whole = self._answering.answers(replaceable)
        version = self._answering.version
        changes = {number: self._stored.changes(tasks[number], version) for number in whole}
        written, _ = self._stored.apply([(tasks[number], changes[number], to) for number, to in whole.items()])
        self.replaced += written
        # A task that was opened twice, before its picture was read and after.
        if any(one.is_crowded for one in changes.values()):
            self._store.answers.set_crowded(self._project, OPEN_S)

        done = []
        for answer in due:
            task = tasks.get(answer.task_id)
            name = answer.version + SUFFIX
            stored = [one["id"] for one in task["predictions"] if one["model_version"] == name] if task else []
            if task is None or not stored:
                is_done = is_over(self._store.now(), answer.given_at + PATIENCE_S, 2 * PATIENCE_S)
            else:
                # A task that is neither answered nor annotated waits for its picture.
                is_done = task["id"] in whole or used_by(task).issuperset(stored)
            if is_done:
                done.append(answer)
        self._store.fast_answers.settle(self._project, done)

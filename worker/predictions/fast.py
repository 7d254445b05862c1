"""Fast predictions → whole ones, in place, through Label Studio's API: its quick view never asks again by itself.

In place, and not by deleting: an annotator may have the fast one open, and the annotation will name it as the one that
it was made from.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from labelstudio.api import LabelStudioClient, LabelStudioError
from store.fast_answers import SUFFIX, FastAnswer
from store.projects import Project
from worker.predictions.answering import Answering
from worker.training.watch import Ends
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
        self._client = client
        self._answering = Answering(workplace, project)
        self._tasks = {task.id: task.payload() for task in workplace.store.tasks.all(project.key)}
        self.replaced = 0

    def replace(self, due: Sequence[FastAnswer]) -> None:
        known = [self._tasks[number] for number in {answer.task_id: None for answer in due} if number in self._tasks]
        whole = self._answering.answers(known)
        settled = [answer for answer in due if self._is_done_with(answer, whole.get(answer.task_id))]
        self._store.fast_answers.settle(self._project, settled)

    def _is_done_with(self, answer: FastAnswer, whole: Mapping[str, Any] | None) -> bool:
        """Put the whole prediction in place of the fast one, if both are there."""
        stored = {each["model_version"]: each["id"] for each in self._client.predictions_of(answer.task_id)}
        fast = stored.get(answer.version + SUFFIX)
        if fast is None:
            return time.time() - answer.given_at > PATIENCE_S
        if whole is None:
            return False  # its picture cannot be had yet
        if whole["model_version"] not in stored:  # else Label Studio has asked again meanwhile
            self._client.replace_prediction(fast, whole)
            self.replaced += 1
        return True

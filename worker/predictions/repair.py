"""Rewrite predictions that were made without their task's picture, once the picture is read.

Label Studio does not ask again for a prediction that it has, and its name does not show that the picture was missing.
So the store keeps which tasks' pictures could not be read.
"""

import logging
import time
from collections.abc import Collection, Sequence

from labelstudio.api import LabelStudioError
from labelstudio.project import ProjectKey
from store.projects import Project
from worker.predictions.answering import Answering
from worker.predictions.stored import Stored
from worker.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

# Tasks whose predictions are rewritten between two checks whether the job must end.
PART = 8


def repair(
    workplace: Workplace, project: Project, watch: Ends, tasks: Sequence[int] | None = None, *, reading_s: float = 0.0
) -> int:
    """Rewrite the stored predictions of those of these tasks whose pictures were unread and are read now; count them.

    ``tasks`` are ids, all of the project's by default. With ``reading_s`` the pictures that are still unread are tried
    before, for so many seconds at most. Predictions that an annotation was made from stay. What Label Studio does not
    take now is tried again by the next encoding. Raises Interrupted when the job must end.
    """
    pictures = workplace.store.pictures
    unread = pictures.tasks(project.key)
    again = workplace.store.tasks.some(project.key, unread if tasks is None else unread.intersection(tasks))
    if not again:
        return 0
    key, config = ProjectKey.parse(project.key), workplace.config_of(project)
    payloads = [task.payload() for task in again.values()]
    if reading_s:
        workplace.encoder.features(key, config, payloads, time.monotonic() + reading_s)
    still = workplace.encoder.unread(key, config, payloads)
    read = [number for number, is_unread in zip(again, still, strict=True) if not is_unread]
    # Most often none has come, and loading a version takes longer than the look.
    if not read:
        return 0
    client = workplace.client_of(project)
    # Without a version there is no prediction of ours, and without an address none can be rewritten.
    if not client.connection.url or workplace.store.versions.current(project.key) is None:
        pictures.settle(project.key, read)
        return 0
    written = 0
    try:
        answering, stored = Answering(workplace, project), Stored(workplace, project, client)
        for start in range(0, len(read), PART):
            watch.check()
            part = read[start : start + PART]
            written += _rewrite(answering, stored, part)
            pictures.settle(project.key, part)
    except (LabelStudioError, ValueError) as error:
        LOG.warning("%s: predictions without their pictures stay for now: %s", project.key, error)
    return written


def _rewrite(answering: Answering, stored: Stored, ids: Collection[int]) -> int:
    """Rewrite all predictions of ours of these tasks that no annotation was made from."""
    due = [(task, stored.rewriting(task)) for task in stored.tasks(sorted(ids))]
    due = [(task, todo) for task, todo in due if todo]
    answers = answering.answers([task for task, _ in due])
    written, _ = stored.apply([(task, todo, answers.get(task["id"])) for task, todo in due])
    return written

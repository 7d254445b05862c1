"""Answer ahead: before a swap, the tasks that annotators probably open next, so that they cost a look-up.

Label Studio shows tasks in the order of their ids unless it samples by uncertainty; then the worker has written the
predictions of the next ones already. Annotators also come back to tasks that they have opened.
"""

import threading
import time
from dataclasses import dataclass, replace

import structlog

from backend.answers import Answers, Question
from backend.schemas import TaskIn
from backend.versions import Served
from labelstudio.config import LabelConfig
from labelstudio.kept import Kept
from labelstudio.project import ProjectKey
from store.tasks import Tasks

LOG = structlog.stdlib.get_logger(__name__)

# Tasks that are answered ahead: those after the last one, and those that were asked for of late.
NEXT, RECENT = 16, 64
# The most seconds that a new version waits for that.
PATIENCE_S = 1.0
# Tasks that are answered at once: each costs half as much as alone, and requests wait for twice as long.
TOGETHER = 4
# Projects whose requests are remembered.
MOST = 10_000


@dataclass(frozen=True)
class _Place:
    """Where a project's annotators are: the labelling config, and the tasks asked for of late, newest last."""

    config: LabelConfig
    recent: tuple[int, ...]


class Ahead:
    """Answers ahead in the thread that swaps, a few tasks at a time, so that requests wait for these at most."""

    def __init__(self, answers: Answers, tasks: Tasks) -> None:
        self._answers = answers
        self._tasks = tasks
        self._places: Kept[str, _Place] = Kept(MOST, MOST)
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()

    def note(self, question: Question) -> None:
        """Note which task was asked for. A request for several tasks says nothing about an annotator's place."""
        if len(question.tasks) == 1 and (number := question.tasks[0].id) is not None:
            project = str(question.project)
            # Two threads may note at once; then one task is missing here, which costs a request some milliseconds.
            place = self._places.get(project)
            before = [other for other in place.recent if other != number] if place else []
            self._places.put(project, _Place(question.config, (*before[1 - RECENT :], number)), 1)

    def answer(self, project: str, served: Served) -> None:
        """Answer the tasks that are probably next with a version that is about to serve."""
        if (place := self._places.get(project)) is None:
            return
        try:
            end = time.monotonic() + PATIENCE_S
            following = self._tasks.page(project, place.recent[-1] - 1, 1 + NEXT)
            others = set(place.recent) - {task.id for task in following}
            found = self._tasks.some(project, others)
            again = [found[number] for number in reversed(place.recent) if number in found]
            tasks = [TaskIn.model_validate(task.payload()) for task in (*following, *again)]
            for first in range(0, len(tasks), TOGETHER):
                if self._closed.is_set() or time.monotonic() > end:
                    return
                part = tasks[first : first + TOGETHER]
                question = Question(ProjectKey.parse(project), place.config, part, end, end)
                if self._answers.kept(question, served) is None:
                    # A picture among them is unread: the others need not wait for it.
                    for task in part:
                        self._answers.kept(replace(question, tasks=[task]), served)
        # Whatever fails here, the request itself will be answered, and tells its error.
        except Exception as error:
            LOG.warning("nothing is answered ahead", project=project, error=repr(error))

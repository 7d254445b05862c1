"""Answer ahead: before a swap, the tasks that annotators probably open next, so that they cost a look-up.

Label Studio shows tasks in the order of their ids unless it samples by uncertainty; then the worker has written the
predictions of the next ones already.
"""

import threading
import time
from dataclasses import replace

import structlog

from backend.answers import Answers, Question
from backend.schemas import TaskIn
from backend.versions import Served
from labelstudio.config import LabelConfig
from labelstudio.kept import Kept
from labelstudio.project import ProjectKey
from store.tasks import Tasks

LOG = structlog.stdlib.get_logger(__name__)

# Tasks that are answered ahead, and the most seconds that a new version waits for that.
NEXT, PATIENCE_S = 16, 1.0
# Tasks that are answered at once: each costs half as much as alone, and requests wait for twice as long.
TOGETHER = 4
# Projects whose last request is remembered.
MOST = 10_000


class Ahead:
    """Answers ahead in the thread that swaps, a few tasks at a time, so that requests wait for these at most."""

    def __init__(self, answers: Answers, tasks: Tasks) -> None:
        self._answers = answers
        self._tasks = tasks
        # Project → its labelling config, and the last task that was asked for.
        self._last: Kept[str, tuple[LabelConfig, int]] = Kept(MOST, MOST)
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()

    def note(self, question: Question) -> None:
        """Note which task was asked for. A request for several tasks says nothing about an annotator's place."""
        if len(question.tasks) == 1 and (number := question.tasks[0].id) is not None:
            self._last.put(str(question.project), (question.config, number), 1)

    def answer(self, project: str, served: Served) -> None:
        """Answer the last task that was asked for and those after it with a version that is about to serve."""
        if (last := self._last.get(project)) is None:
            return
        config, number = last
        try:
            end = time.monotonic() + PATIENCE_S
            tasks = [TaskIn.model_validate(task.payload()) for task in self._tasks.page(project, number - 1, 1 + NEXT)]
            for first in range(0, len(tasks), TOGETHER):
                if self._closed.is_set() or time.monotonic() > end:
                    return
                part = tasks[first : first + TOGETHER]
                question = Question(ProjectKey.parse(project), config, part, end, end)
                if self._answers.kept(question, served) is None:
                    # A picture among them is unread: the others need not wait for it.
                    for task in part:
                        self._answers.kept(replace(question, tasks=[task]), served)
        # Whatever fails here, the request itself will be answered, and tells its error.
        except Exception as error:
            LOG.warning("nothing is answered ahead", project=project, error=repr(error))

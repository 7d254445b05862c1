"""Predictions stored in Label Studio, brought up to the version that serves.

What is still to do is read from Label Studio itself: a task is due when it has no prediction of the served version, or
several. So a run that was ended anywhere goes on where it stopped, and two runs write nothing twice.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from labelstudio.project import ProjectKey
from store.projects import Project
from worker.predictions.answering import Answering
from worker.predictions.stored import Answer, Stored, Task
from worker.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

PART = 16  # tasks written between two looks at whether the run must end
WINDOW = 1000  # tasks that are put into order together
LOADED = 64  # tasks whose features are in memory together
PAUSE = 0.5  # of the time that Label Studio took for a part: it is idle for a third of the time, for annotators

Progress = Callable[[Mapping[str, Any]], None]


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
    workplace: Workplace,
    project: Project,
    watch: Ends,
    progress: Progress,
    *,
    unlabelled_only: bool = False,
    stored_only: bool = False,
    on_written: Callable[[str], None] = lambda _version: None,
) -> Refreshed:
    """See that tasks have one prediction of ours in Label Studio, of the served version.

    All tasks, or those that nobody has labelled, or that have a stored prediction of ours already. Starts over when
    another version serves meanwhile. ``on_written`` hears the version each time that predictions of it were written.
    Raises LabelStudioError when Label Studio does not answer, Interrupted when the job must end (the next tasks are
    written before it looks, so that each run gets on), ValueError for a labelling config or a checkpoint that cannot be
    used.
    """
    while True:
        try:
            run = _Refresh(workplace, project, watch, progress, on_written)
            return run.run(unlabelled_only=unlabelled_only, stored_only=stored_only)
        except _Overtaken:
            LOG.info("%s: another version serves now; its predictions are written instead", project.key)


class _Refresh:
    """One pass over the project's tasks under one version."""

    def __init__(
        self, workplace: Workplace, project: Project, watch: Ends, progress: Progress, on_written: Callable[[str], None]
    ) -> None:
        self._workplace, self._watch, self._progress, self._on_written = workplace, watch, progress, on_written
        self._key = ProjectKey.parse(project.key)
        self._client = workplace.client_of(project)
        self._answering = Answering(workplace, project)
        self._stored = Stored(workplace, project, self._client)
        self._done = Refreshed(self._answering.version, self._answering.generation)
        self._total = 0
        self._unlabelled_only = self._stored_only = False

    def run(self, *, unlabelled_only: bool, stored_only: bool) -> Refreshed:
        self._unlabelled_only, self._stored_only = unlabelled_only, stored_only
        outdated = self._listed(self._outdated_page)
        while window := list(islice(outdated, WINDOW)):
            self._refresh_window(window)
        # Label Studio has asked for some itself meanwhile, and stored the answers beside the old ones.
        crowded = self._listed(self._crowded_page)
        while part := list(islice(crowded, PART)):
            self._write([task["id"] for task in part], {})
        self._report()
        return self._done

    def _refresh_window(self, window: Sequence[Task]) -> None:
        """The next tasks first, then by turns the least certain and the next; those that are not read yet last."""
        self._write_parts([task["id"] for task in window[:PART]], {})
        rest = window[PART:]
        answers = self._answered(self._answering.read(rest))
        uncertain = sorted(answers, key=lambda number: float(answers[number]["score"]))
        by_turns = dict.fromkeys(chain.from_iterable(zip(uncertain, sorted(answers), strict=True)))
        self._write_parts(list(by_turns), answers)
        self._write_parts([task["id"] for task in rest if task["id"] not in answers], {})

    def _answered(self, tasks: Sequence[Task]) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        for start in range(0, len(tasks), LOADED):
            answers |= self._answering.answers(tasks[start : start + LOADED])
            self._check()
        return answers

    def _listed(self, page: Callable[[int], tuple[list[dict[str, Any]], int]]) -> Iterator[Task]:
        """Tasks by id, page by page; a page is read when the one before is used up."""
        after, left = 0, 1
        while left:
            tasks, total = page(after)
            self._total += total if not after else 0
            yield from tasks
            after, left = tasks[-1]["id"] if tasks else after, total - len(tasks) if tasks else 0

    def _outdated_page(self, after: int) -> tuple[list[dict[str, Any]], int]:
        return self._client.outdated_tasks(
            self._key.id, after, self._done.version, unlabelled=self._unlabelled_only, stored=self._stored_only
        )

    def _crowded_page(self, after: int) -> tuple[list[dict[str, Any]], int]:
        return self._client.crowded_tasks(self._key.id, after, unlabelled=self._unlabelled_only)

    def _write_parts(self, ids: Sequence[int], answers: Mapping[int, Answer]) -> None:
        for start in range(0, len(ids), PART):
            self._write(ids[start : start + PART], answers)

    def _write(self, ids: Sequence[int], known: Mapping[int, Answer]) -> None:
        """Bring these tasks up to date, with the answers that are known and new ones for the others."""
        began = time.monotonic()
        there = {task["id"]: task for task in self._stored.tasks(ids)}
        tasks = [there[number] for number in ids if number in there]
        due = [(task, self._stored.changes(task, self._done.version)) for task in tasks]
        due = [(task, todo) for task, todo in due if todo and self._is_wanted(task)]
        missing = [task for task, todo in due if todo.needs_answer and task["id"] not in known]
        asked = time.monotonic()
        answers = {**known, **self._answering.answers(missing)}
        answered = time.monotonic()
        written, deleted = self._stored.apply([(task, todo, answers.get(task["id"])) for task, todo in due])
        busy = asked - began + time.monotonic() - answered
        self._done = replace(
            self._done,
            tasks=self._done.tasks + len(ids),
            written=self._done.written + written,
            unread=self._done.unread + sum(task["id"] not in answers for task in missing),
            deleted=self._done.deleted + deleted,
        )
        self._report()
        if written:
            self._on_written(self._done.version)
        self._check()
        time.sleep(busy * PAUSE)

    def _is_wanted(self, task: Task) -> bool:
        if self._unlabelled_only and task["is_labeled"]:
            return False
        return not self._stored_only or any(map(self._stored.is_ours, task["predictions"]))

    def _report(self) -> None:
        done = self._done.tasks
        self._progress({"stage": "writing predictions", "done": done, "total": max(done, self._total)})

    def _check(self) -> None:
        self._watch.check()
        current = self._workplace.store.versions.current(str(self._key))
        if current is None or current.generation != self._done.generation:
            raise _Overtaken

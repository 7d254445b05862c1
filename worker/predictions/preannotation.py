"""Refresh the predictions that Label Studio has stored, so that they come from the served version.

Label Studio itself lists the tasks that are due: those with no prediction of the served version, or with several. So a
run that was ended at any point continues where it stopped, and two runs write nothing twice.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from labelstudio.project import ProjectKey
from store.projects import Project
from worker.corpus.kin import kin_of
from worker.predictions.answering import Answering
from worker.predictions.choice import Choice
from worker.predictions.stored import OPEN_S, Answer, Stored, TaskObject
from worker.watch import Ends
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

# Tasks that are written between two checks whether the run must end.
PART = 16
# Tasks that are sorted by uncertainty at a time.
WINDOW = 1000
# Tasks whose features are in memory at a time.
LOADED = 64
# Pause after a part, relative to the time that Label Studio worked for it: annotators have a third of the time.
PAUSE = 0.5

Progress = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Refreshed:
    """The counts of a run. ``unread`` tasks have a picture that cannot be read for now; they stay due."""

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
    """Raised when another version serves now, so that its predictions must be written instead."""


@dataclass(frozen=True)
class Scope:
    """Which tasks are refreshed: all, only those without annotations, or only those that have a stored prediction.

    With ``by_choice`` the scores of up to `WINDOW` tasks at a time give the order in which they are best labelled
    (`worker.predictions.choice`), and the tasks are written in this order.
    """

    unlabelled_only: bool = False
    stored_only: bool = False
    by_choice: bool = False


ALL_TASKS = Scope()


def refresh(
    workplace: Workplace,
    project: Project,
    watch: Ends,
    progress: Progress,
    scope: Scope = ALL_TASKS,
    *,
    on_written: Callable[[str], None] = lambda _version: None,
) -> Refreshed:
    """Update tasks so that each has one prediction of this backend in Label Studio, from the served version.

    If another version serves meanwhile, the run starts again with it. ``on_written`` is called with the version each
    time that predictions were written.

    Raises LabelStudioError when Label Studio does not answer, Interrupted when the job must end, and ValueError for a
    labelling config or a checkpoint that cannot be used. Each run writes some tasks before it first checks whether it
    must end, so that every run makes progress.
    """
    while True:
        try:
            return _Refresh(workplace, project, watch, progress, scope, on_written).run()
        except _Overtaken:
            LOG.info("%s: another version serves now; its predictions are written instead", project.key)


class _Refresh:
    """One pass over the project's tasks with one version."""

    def __init__(
        self,
        workplace: Workplace,
        project: Project,
        watch: Ends,
        progress: Progress,
        scope: Scope,
        on_written: Callable[[str], None],
    ) -> None:
        self._workplace, self._watch, self._progress, self._on_written = workplace, watch, progress, on_written
        self._scope = scope
        self._key = ProjectKey.parse(project.key)
        self._client = workplace.client_of(project)
        self._answering = Answering(workplace, project)
        self._choice = None
        if scope.by_choice:
            settings = workplace.settings
            kin = kin_of(workplace.store, project, self._answering.config, settings.tasks.family_key)
            self._choice = Choice(kin, settings.training.seed)
        self._stored = Stored(workplace, project, self._client)
        self._done = Refreshed(self._answering.version, self._answering.generation)
        self._total = 0
        self._is_crowded = False

    def run(self) -> Refreshed:
        number, version, scope = self._key.id, self._done.version, self._scope
        outdated = self._listed(
            lambda after: self._client.outdated_tasks(
                number, after, version, unlabelled=scope.unlabelled_only, stored=scope.stored_only
            )
        )
        while window := list(islice(outdated, WINDOW)):
            # The first tasks of the window are written at once, since annotators may open them next. In an order by
            # choice the scores of all tasks must be known first.
            at_once = 0 if self._choice else PART
            self._write_parts([task["id"] for task in window[:at_once]], {})
            rest = window[at_once:]
            # All tasks whose pictures were read are answered, so that their scores give the order of writing.
            are_read = self._answering.read(rest)
            answers: dict[int, Answer] = {}
            for start in range(0, len(are_read), LOADED):
                answers |= self._answering.answers(are_read[start : start + LOADED], self._choice)
                # A run that has written nothing yet goes on, so that every run makes progress.
                if self._done.tasks:
                    self._check()
            if self._choice:
                answers = self._choice.ordered(answers)
                self._write_parts(list(answers), answers)
            else:
                # Alternately the least certain task and the next task by id.
                uncertain = sorted(answers, key=lambda task_id: float(answers[task_id]["score"]))
                by_turns = dict.fromkeys(chain.from_iterable(zip(uncertain, sorted(answers), strict=True)))
                self._write_parts(list(by_turns), answers)
            # Last the tasks whose pictures must be read first.
            self._write_parts([task["id"] for task in rest if task["id"] not in answers], {})

        # During the run Label Studio may have asked for predictions itself, and stored them beside the old ones.
        unlabelled = scope.unlabelled_only
        crowded = self._listed(lambda after: self._client.crowded_tasks(number, after, unlabelled=unlabelled))
        while part := list(islice(crowded, PART)):
            self._write([task["id"] for task in part], {})
        self._workplace.store.answers.set_crowded(str(self._key), OPEN_S if self._is_crowded else None)
        self._report()
        return self._done

    def _listed(self, page: Callable[[int], tuple[list[dict[str, Any]], int]]) -> Iterator[TaskObject]:
        """Yield tasks in the order of their ids. A page is read only when the one before is used up."""
        after, left = 0, 1
        while left:
            tasks, total = page(after)
            self._total += total if not after else 0
            yield from tasks
            after, left = tasks[-1]["id"] if tasks else after, total - len(tasks) if tasks else 0

    def _write_parts(self, ids: Sequence[int], answers: Mapping[int, Answer]) -> None:
        for start in range(0, len(ids), PART):
            self._write(ids[start : start + PART], answers)

    def _write(self, ids: Sequence[int], known: Mapping[int, Answer]) -> None:
        """Update the predictions of these tasks, with the known answers and with new answers for the other tasks."""
        began = time.monotonic()
        found = {task["id"]: task for task in self._stored.tasks(ids)}
        due = []
        for task in [found[number] for number in ids if number in found]:
            todo = self._stored.changes(task, self._done.version)
            # Checked again, since the task may have changed after its page was read.
            is_excluded = (self._scope.unlabelled_only and task["is_labeled"]) or (
                self._scope.stored_only and not any(map(self._stored.is_ours, task["predictions"]))
            )
            if is_excluded:
                continue
            self._is_crowded |= todo.is_crowded
            if todo:
                due.append((task, todo))
        missing = [task for task, todo in due if todo.needs_answer and task["id"] not in known]
        asked = time.monotonic()
        answers = {**known, **self._answering.answers(missing)}
        answered = time.monotonic()
        written, deleted = self._stored.apply([(task, todo, answers.get(task["id"])) for task, todo in due])
        # The time that Label Studio worked for this part, without the time for new answers.
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

    def _report(self) -> None:
        done = self._done.tasks
        self._progress({"stage": "writing predictions", "done": done, "total": max(done, self._total)})

    def _check(self) -> None:
        self._watch.check()
        current = self._workplace.store.versions.current(str(self._key))
        if current is None or current.generation != self._done.generation:
            raise _Overtaken

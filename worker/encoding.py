"""Computing the features that are missing, in small steps that give way to gold; and what boxes are chosen from."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from labelstudio.config import LabelConfig
from labelstudio.encoding import Failure
from labelstudio.project import ProjectKey
from model.boxes.described import RECENT
from model.boxes.roles import RoleReader
from model.features.item import ItemFeatures
from store.projects import Project
from store.tasks import Task
from worker.corpus.gold import project_gold
from worker.lexicon import read_lexicon, with_names
from worker.predictions.fast import replace_due
from worker.watch import Ends, GivesWay, Interrupted
from worker.workplace import PART, Workplace

LOG = logging.getLogger(__name__)

PART_S = 5.0  # for the pictures of a part to come; those that were late are tried again after all others
STEP_S = 3.0  # waiting gold is looked for so often; a step ends at most one part later

Progress = Callable[[Mapping[str, Any]], None]


def encode(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    """Encode tasks without features until each was tried; returns a line about it.

    Interrupted when gold waits, or when it is another job's turn. The next job goes on behind the last task that was
    tried, so that pictures that never come keep none behind them waiting. Before and in between, tasks that were
    answered before their pictures were read get their whole predictions.
    """
    run = _Run(workplace, project, watch, progress)
    if project.encode_cursor >= 0:
        run.go_through(project.encode_cursor, PART_S, is_second=False)
    # For pictures that were late, and for tasks that have changed behind the first round.
    run.go_through(max(-project.encode_cursor, 0), PART_S + workplace.settings.pictures.image_seconds, is_second=True)
    workplace.store.projects.reach_in_encoding(project.key, 0)
    _ask_for_training(workplace, project, run.config)
    return f"{run.read} tasks encoded, {len(run.failed)} without a picture, {run.replaced} fast predictions replaced"


class _Run:
    """One job. ``failed`` are tasks whose pictures it could not have: it does not try them twice."""

    def __init__(self, workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> None:
        self._workplace, self._project, self._watch, self._progress = workplace, project, watch, progress
        self._gold_first = GivesWay(watch, workplace.store)
        self.config, self._key = workplace.config_of(project), ProjectKey.parse(project.key)
        self.read, self.failed = 0, set[int]()
        self.replaced = replace_due(workplace, project, self._gold_first)

    def go_through(self, after: int, seconds: float, *, is_second: bool) -> None:
        """Try the tasks behind an id that have no features; the pictures of each part have so many seconds to come."""
        projects = self._workplace.store.projects
        missing = _missing(self._workplace, self._project, self.config, self._key)
        left = [task for task in missing if task.id > after and task.id not in self.failed]
        total = len(left)
        while left:
            self._watch.check()
            if projects.waiting_for_training():
                raise Interrupted(f"gave way to gold with {len(left)} of {total} tasks left")
            done = self._step(left, seconds, is_second=is_second)
            last = left[done - 1].id
            projects.reach_in_encoding(self._project.key, -last if is_second else last)
            left = left[done:]
            self.replaced += replace_due(self._workplace, self._project, self._gold_first)
            stage = "reading pictures that were late" if is_second else "reading pictures"
            self._progress({"stage": stage, "done": total - len(left), "total": total, "failed": len(self.failed)})

    def _step(self, tasks: list[Task], seconds: float, *, is_second: bool) -> int:
        """Encode for a few seconds; how many tasks were tried."""
        end, done = time.monotonic() + STEP_S, 0
        reader = RoleReader(with_names(read_lexicon(self._workplace.settings.training.lexicon), self.config.names))
        while done < len(tasks) and (not done or time.monotonic() < end):
            part = tasks[done : done + PART]
            deadline = time.monotonic() + seconds
            answers = self._workplace.encoder.features(
                self._key, self.config, [task.payload() for task in part], deadline
            )
            for task, answer in zip(part, answers, strict=True):
                if not isinstance(answer, Failure):
                    self.read += 1
                    _describe(answer, reader)  # the next training and the first answer would have to wait for it
                elif is_second or not answer.late:
                    self.failed.add(task.id)
            done += len(part)
        return done


def _ask_for_training(workplace: Workplace, project: Project, config: LabelConfig) -> None:
    """If gold that was trained on without its picture, or not at all, has it now.

    The store tells, not what this job read: the job that read the picture may have been killed.
    """
    now = workplace.store.projects.get(project.key)
    if now is None or now.has_new_gold or not now.unread_gold:
        return
    unread = {task.id for task in _missing(workplace, project, config, ProjectKey.parse(project.key))}
    if len(project_gold(workplace.store, project, config, unread).by_task) < now.unread_gold:
        workplace.store.projects.request_training(project.key)


def _missing(workplace: Workplace, project: Project, config: LabelConfig, key: ProjectKey) -> list[Task]:
    tasks = workplace.store.tasks.all(project.key)
    unread = workplace.encoder.unread(key, config, [task.payload() for task in tasks])
    return [task for task, is_unread in zip(tasks, unread, strict=True) if is_unread]


def _describe(features: ItemFeatures, reader: RoleReader) -> None:
    try:
        RECENT.of(features, reader)
    except Exception as error:  # of one picture: the others are to be read all the same
        LOG.error("a picture cannot be described: %r", error)

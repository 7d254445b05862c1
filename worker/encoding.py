"""Computing the features that are missing, in small steps that give way to gold; and what boxes are chosen from."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from labelstudio.config import LabelConfig
from labelstudio.encoding import Failure
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.boxes.described import RECENT
from model.boxes.roles import RoleReader
from model.features.item import ItemFeatures
from store.projects import Project
from store.tasks import Task
from worker.predictions.fast import replace_due
from worker.training.cold_start import lexicon_of
from worker.training.gold import project_gold
from worker.training.watch import Ends, GivesWay, Interrupted
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
    gold_first = GivesWay(watch, workplace.store)
    replaced = replace_due(workplace, project, gold_first)
    config, key = workplace.config_of(project), ProjectKey.parse(project.key)
    missing = [task for task in _missing(workplace, project, config, key) if task.id > project.encode_cursor]
    total, failed, late = len(missing), 0, list[Task]()

    def may_go_on() -> None:
        watch.check()
        if workplace.store.projects.waiting_for_training():
            raise Interrupted(f"gave way to gold with {len(missing) + len(late)} of {total} tasks left")

    while missing:
        may_go_on()
        step = _step(workplace, config, key, missing, PART_S)
        workplace.store.projects.reach_in_encoding(project.key, missing[step.done - 1].id)
        missing, failed, late = missing[step.done :], failed + step.failed, [*late, *step.late]
        replaced += replace_due(workplace, project, gold_first)
        progress({"stage": "reading pictures", "done": total - len(missing), "total": total, "failed": failed})
    while late:
        may_go_on()
        step = _step(workplace, config, key, late, workplace.settings.image_seconds + PART_S)
        late, failed = late[step.done :], failed + step.failed + len(step.late)
        replaced += replace_due(workplace, project, gold_first)
    workplace.store.projects.reach_in_encoding(project.key, 0)
    _ask_for_training(workplace, project, config)
    return f"{total - failed} tasks encoded, {failed} without a picture, {replaced} fast predictions replaced"


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
    return [
        task
        for task in workplace.store.tasks.all(project.key)
        if not workplace.cache.has(item_key(key.connection, reference_of(config, task.payload(), key)))
    ]


class _Step(NamedTuple):
    """So many of the tasks were tried; ``failed`` of them have no picture, ``late`` are those that had not the time."""

    done: int
    failed: int
    late: list[Task]


def _step(workplace: Workplace, config: LabelConfig, key: ProjectKey, tasks: list[Task], seconds: float) -> _Step:
    """Encode for a few seconds; the pictures of each part have so many ``seconds`` to come."""
    end = time.monotonic() + STEP_S
    step = _Step(0, 0, [])
    reader = RoleReader(lexicon_of(workplace.settings, config.names))
    while step.done < len(tasks) and (not step.done or time.monotonic() < end):
        tried = tasks[step.done : step.done + PART]
        deadline = time.monotonic() + seconds
        answers = workplace.encoder.features(key, config, [task.payload() for task in tried], deadline)
        failures = [answer for answer in answers if isinstance(answer, Failure) and not answer.late]
        late = [
            task for task, answer in zip(tried, answers, strict=True) if isinstance(answer, Failure) and answer.late
        ]
        for features in answers:  # the next training and the first answer would have to wait for it
            if not isinstance(features, Failure):
                _describe(features, reader)
        step = _Step(step.done + len(tried), step.failed + len(failures), [*step.late, *late])
    return step


def _describe(features: ItemFeatures, reader: RoleReader) -> None:
    try:
        RECENT.of(features, reader)
    except Exception as error:  # of one picture: the others are to be read all the same
        LOG.error("a picture cannot be described: %r", error)

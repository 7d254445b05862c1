"""Computing the features that are missing, in small steps that give way to gold; and what boxes are chosen from."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

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
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

PART = 16  # tasks; on 2 cores reading them takes two to eight seconds, describing them 0.4
STEP_S = 3.0  # waiting gold is looked for so often; a step ends at most one batch later

Progress = Callable[[Mapping[str, Any]], None]


def encode(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    """Encode tasks without features until none is left; returns a line about it. Interrupted when gold waits.

    Before and in between, tasks that were answered before their pictures were read get their whole predictions.
    """
    gold_first = GivesWay(watch, workplace.store)
    replaced = replace_due(workplace, project, gold_first)
    config, key = workplace.config_of(project), ProjectKey.parse(project.key)
    missing = _missing(workplace, project, config, key)
    total, failed = len(missing), 0
    while missing:
        watch.check()
        if workplace.store.projects.waiting_for_training():
            raise Interrupted(f"gave way to gold with {len(missing)} of {total} tasks left")
        done, gone = _step(workplace, config, key, missing)
        missing, failed = missing[done:], failed + gone
        replaced += replace_due(workplace, project, gold_first)
        progress({"stage": "reading pictures", "done": total - len(missing), "total": total, "failed": failed})
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


def _step(workplace: Workplace, config: LabelConfig, key: ProjectKey, missing: list[Task]) -> tuple[int, int]:
    """Encode for a few seconds; how many tasks are done with, and how many of them failed."""
    end = time.monotonic() + STEP_S
    done = failed = 0
    reader = RoleReader(lexicon_of(workplace.settings, config.names))
    while done < len(missing) and time.monotonic() < end:
        part = missing[done : done + PART]
        answers = workplace.encoder.features(key, config, [task.payload() for task in part])
        found = [answer for answer in answers if not isinstance(answer, Failure)]
        failed += len(part) - len(found)
        for features in found:  # the next training and the first answer would have to wait for it
            _describe(features, reader)
        done += len(part)
    return done, failed


def _describe(features: ItemFeatures, reader: RoleReader) -> None:
    try:
        RECENT.of(features, reader)
    except Exception as error:  # of one picture: the others are to be read all the same
        LOG.error("a picture cannot be described: %r", error)

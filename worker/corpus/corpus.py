"""What one training sees: the features of a project's tasks and the gold there is."""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labelstudio.config import LabelConfig
from labelstudio.encoding import Failure
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.item import ItemFeatures
from model.items import Gold
from model.problem import Problem
from store.projects import Project
from store.tasks import Task
from worker.corpus.families import family_of, is_held_out
from worker.corpus.gold import project_gold
from worker.watch import Ends
from worker.workplace import PART, Workplace

LOG = logging.getLogger(__name__)

PART_S = 30.0  # for the pictures of a part to come; whether the job must end is looked at in between
PATIENCE_S = 60.0  # in all, for parts with pictures that are late; what is left is trained on when it was read


@dataclass(frozen=True)
class Corpus:
    """A project's learning problem, with the task of each row.

    ``keys`` name the items in the cache of features. ``unread`` counts tasks with gold whose picture could not be had.
    ``notes`` count the tasks of each reading of gold that people should know of.
    """

    task_ids: tuple[int, ...]
    keys: tuple[str, ...]
    problem: Problem
    unread: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)


def assemble(workplace: Workplace, project: Project, config: LabelConfig, watch: Ends) -> Corpus:
    """Read the project's tasks, gold and features. Gold tasks without features are encoded now, so are those
    whose file of features cannot be read; others are left out.

    At most `training_pool` tasks without gold come in, chosen by a hash of their id, so that the choice is steady.
    """
    settings = workplace.settings
    tasks = {task.id: task for task in workplace.store.tasks.all(project.key)}
    read = project_gold(workplace.store, project, config, tasks)
    gold = read.by_task
    others = sorted(tasks.keys() - gold.keys(), key=lambda number: _shuffled(project.key, number))
    chosen = [tasks[number] for number in sorted([*gold, *others[: settings.training.training_pool]])]
    key = ProjectKey.parse(project.key)
    keys = {task.id: item_key(key.connection, reference_of(config, task.payload(), key)) for task in chosen}
    found = _features(workplace, key, config, chosen, keys, gold, watch)
    kept = [task for task in chosen if task.id in found]
    features = [found[task.id] for task in kept]
    families = [
        family_of(entry.title, task.data, task.id, settings.tasks.family_key)
        for task, entry in zip(kept, features, strict=True)
    ]
    by_row = {row: gold[task.id] for row, task in enumerate(kept) if task.id in gold}
    held_out = frozenset(row for row in by_row if is_held_out(families[row], settings.training.held_out_share))
    ids = tuple(task.id for task in kept)
    unread = sum(not workplace.cache.has(keys[number]) for number in gold)
    problem = Problem(features, by_row, families, held_out)
    return Corpus(ids, tuple(keys[number] for number in ids), problem, unread, read.notes)


def _features(
    workplace: Workplace,
    key: ProjectKey,
    config: LabelConfig,
    tasks: Sequence[Task],
    keys: Mapping[int, str],
    gold: Mapping[int, Gold],
    watch: Ends,
) -> dict[int, ItemFeatures]:
    found: dict[int, ItemFeatures] = {}
    missing: list[Task] = []
    for task in tasks:
        was_read = workplace.cache.has(keys[task.id])
        features = workplace.cache.get(keys[task.id])
        if features is not None:
            found[task.id] = features
        elif was_read or task.id in gold:  # a file that is spoilt must not make the pool another one
            missing.append(task)
    lost = 0.0
    for start in range(0, len(missing), PART):
        watch.check()
        began = time.monotonic()
        read, are_late = _encoded(workplace, key, config, missing[start : start + PART], began + PART_S)
        found |= read
        took = time.monotonic() - began
        lost += took if are_late or took >= workplace.settings.pictures.image_seconds else 0.0
        left = len(missing) - start - PART
        if lost > PATIENCE_S and left > 0:
            LOG.warning("%s: pictures of gold do not come: training without the %d left", key, left)
            break
    return found


def _encoded(
    workplace: Workplace, key: ProjectKey, config: LabelConfig, tasks: Sequence[Task], deadline: float
) -> tuple[dict[int, ItemFeatures], bool]:
    """Features by task, and whether pictures were late.

    Gold without its picture still teaches the text, when the picture is gone for good.
    """
    payloads = [task.payload() for task in tasks]
    features = workplace.encoder.features(key, config, payloads, deadline)
    answers = dict(zip([task.id for task in tasks], features, strict=True))
    are_late = any(isinstance(answer, Failure) and answer.late for answer in features)
    found = {number: answer for number, answer in answers.items() if not isinstance(answer, Failure)}
    gone = [task for task in tasks if isinstance(answer := answers[task.id], Failure) and answer.permanent]
    texts = workplace.encoder.texts_only(key, config, [task.payload() for task in gone]) if gone else []
    said = zip([task.id for task in gone], texts, strict=True)
    return found | {number: text for number, text in said if text is not None}, are_late


def _shuffled(project_key: str, task_id: int) -> bytes:
    return hashlib.blake2b(f"{project_key}:{task_id}".encode(), digest_size=8).digest()

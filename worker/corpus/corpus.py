"""The corpus of one training: the features of a project's tasks, and their gold."""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from labelstudio.config import LabelConfig
from labelstudio.encoding import Failure
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.item import ItemFeatures
from model.features.said import SILENCE
from model.items import Gold
from model.problem import Problem
from store.projects import Project
from store.tasks import Task
from worker.corpus.draw_seconds import DrawSeconds
from worker.corpus.families import family_of, is_held_out
from worker.corpus.gold import project_gold
from worker.pictures import note_unread
from worker.said import said_of
from worker.watch import Ends
from worker.workplace import PART, Workplace

LOG = logging.getLogger(__name__)

# Seconds to wait for the pictures of a part (PART tasks); between parts the job checks whether it must end.
PART_S = 30.0
# Seconds that all parts with late pictures may take together. Gold that is left out is trained on after its picture
# was read.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Corpus:
    """A project's learning problem, with the id of the task of each row.

    ``keys`` are the items' keys in the cache of features. ``draw`` is how long a drawn box takes. ``unread`` is the
    number of tasks with gold whose picture could not be read. ``notes`` maps each note about the gold to the number of
    its tasks. ``gold`` is that of all tasks by id, also of tasks that are no part of the problem.
    """

    task_ids: tuple[int, ...]
    keys: tuple[str, ...]
    problem: Problem
    draw: DrawSeconds = field(default_factory=DrawSeconds)
    unread: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)
    gold: Mapping[int, Gold] = field(default_factory=dict)


def assemble(workplace: Workplace, project: Project, config: LabelConfig, watch: Ends) -> Corpus:
    """Read the project's tasks, gold and features.

    Tasks with gold but without features are encoded now, and so are tasks whose file of features cannot be read. Other
    tasks without features are left out. At most `training_pool` tasks without gold are used; a hash of the task's id
    chooses them, so that each training uses the same ones.
    """
    settings = workplace.settings
    ids = set(workplace.store.tasks.ids(project.key))
    read = project_gold(workplace.store, project, config, ids)
    others = sorted(
        ids - read.by_task.keys(),
        key=lambda number: hashlib.blake2b(f"{project.key}:{number}".encode(), digest_size=8).digest(),
    )
    most = settings.training.training_pool
    if len(others) > most:
        LOG.info(
            "%s: this training uses %d of %d tasks without gold (TAGLOOM_TRAINING_POOL, see docs/training.md)",
            project.key, most, len(others),
        )  # fmt: skip
    # Only the chosen ones are read: a project may have any number of tasks.
    tasks = workplace.store.tasks.some(project.key, [*read.by_task, *others[:most]])
    chosen = [tasks[number] for number in sorted(tasks)]
    key = ProjectKey.parse(project.key)
    gold = {task.id: read.by_task[task.id] for task in chosen if task.id in read.by_task}
    keys = {task.id: item_key(key.connection, reference_of(config, task.payload(), key)) for task in chosen}
    found = _features(workplace, key, config, chosen, keys, gold, watch)
    kept = [task for task in chosen if task.id in found]
    said = said_of(workplace.store.source_opinions, project.key, [keys[task.id] for task in kept])
    features = [replace(found[task.id], said=said.get(keys[task.id], SILENCE)) for task in kept]
    families = [
        family_of(entry.title, task.data, task.id, settings.tasks.family_key)
        for task, entry in zip(kept, features, strict=True)
    ]
    by_row = {row: gold[task.id] for row, task in enumerate(kept) if task.id in gold}
    held_out = frozenset(row for row in by_row if is_held_out(families[row], settings.training.held_out_share))
    task_ids = tuple(task.id for task in kept)
    unread = sum(not workplace.cache.has(keys[number]) for number in gold)
    problem = Problem(features, by_row, families, held_out)
    draw = DrawSeconds.of(workplace.store.annotations, project.key, config, settings.training.draw_seconds)
    return Corpus(task_ids, tuple(keys[number] for number in task_ids), problem, draw, unread, read.notes, gold)


def _features(
    workplace: Workplace,
    key: ProjectKey,
    config: LabelConfig,
    tasks: Sequence[Task],
    keys: Mapping[int, str],
    gold: Mapping[int, Gold],
    watch: Ends,
) -> dict[int, ItemFeatures]:
    """Return the features of tasks by id, from the cache or encoded now."""
    found: dict[int, ItemFeatures] = {}
    missing: list[Task] = []
    for task in tasks:
        was_read = workplace.cache.has(keys[task.id])
        features = workplace.cache.get(keys[task.id])
        if features is not None:
            found[task.id] = features
        # A task whose file of features is spoilt is read again, so that the pool stays the same.
        elif was_read or task.id in gold:
            missing.append(task)
    # Seconds of the parts that waited for late pictures.
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
    """Encode tasks; return features by task id, and whether pictures were late.

    A task whose picture is permanently missing gets features of its texts alone, so that its gold is still used.
    """
    payloads = [task.payload() for task in tasks]
    features = workplace.encoder.features(key, config, payloads, deadline)
    answers = dict(zip([task.id for task in tasks], features, strict=True))
    unread = {number: answer.reason for number, answer in answers.items() if isinstance(answer, Failure)}
    note_unread(workplace.store, str(key), unread)
    are_late = any(isinstance(answer, Failure) and answer.late for answer in features)
    found = {number: answer for number, answer in answers.items() if not isinstance(answer, Failure)}
    gone = [task for task in tasks if isinstance(answer := answers[task.id], Failure) and answer.permanent]
    texts = workplace.encoder.texts_only(key, config, [task.payload() for task in gone]) if gone else []
    read = zip([task.id for task in gone], texts, strict=True)
    return found | {number: text for number, text in read if text is not None}, are_late

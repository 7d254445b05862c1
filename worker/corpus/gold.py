"""Read a project's gold from its stored annotations."""

import logging
from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from labelstudio.config import LabelConfig
from labelstudio.gold import read_gold, was_misread
from labelstudio.proposals import Mark, proposed_by
from model.items import Gold
from store.fast_answers import SUFFIX
from store.leases import Lease
from store.projects import Project
from store.store import Store

LOG = logging.getLogger(__name__)

UNREADABLE = "the annotation could not be read; the log says why"
UNREAD = "nothing of the annotation was understood"


@dataclass(frozen=True)
class ProjectGold:
    """The gold of each task that has some; ``notes`` maps what was unknown or overruled to the number of its tasks."""

    by_task: dict[int, Gold]
    notes: Mapping[str, int]


def project_gold(
    store: Store,
    project: Project,
    config: LabelConfig,
    tasks: Container[int] | None = None,
    *,
    page: Collection[int] | None = None,
) -> ProjectGold:
    """Return the gold of those of these tasks, or of all, that have some.

    With ``page`` only its tasks' annotations are read.
    """
    versions = [name for entry in store.versions.list(project.key) for name in (entry.version, entry.version + SUFFIX)]
    by_task: dict[int, Gold] = {}
    notes: Counter[str] = Counter()
    for number, annotations in store.annotations.of_project(project.key, page).items():
        if tasks is not None and number not in tasks:
            continue

        def version_of(mark: Mark, task_id: int = number) -> str:
            return proposed_by(mark, project.key, task_id, versions).removesuffix(SUFFIX)

        try:
            gold = read_gold(config, annotations, version_of)
        # One annotation with an unexpected content must not stop the project's training.
        except Exception as error:
            LOG.error("%s: the annotations of task %d cannot be read: %r", project.key, number, error)
            notes[UNREADABLE] += 1
            continue
        if gold is None:
            continue
        notes.update(gold.notes)
        if gold.says_something(config.labels):
            by_task[number] = gold
        else:
            notes[UNREAD] += 1
    return ProjectGold(by_task, dict(notes))


def note_gold(
    store: Store, project: Project, config: LabelConfig, lease: Lease, gold: Mapping[int, Gold] | None = None
) -> None:
    """Record the labels of all gold, by which pages filter; ``gold`` is that of all tasks, where it is read already."""
    if gold is None:
        gold = project_gold(store, project, config).by_task
    said = {
        number: {label: there for label in config.labels if (there := one.says(label)) is not None}
        for number, one in gold.items()
    }
    store.gallery.set_gold(project.key, said, lease)


def mark_misread(store: Store, project: Project, config: LabelConfig) -> None:
    """Mark versions that learned from annotations misread by the first release; does this once after an upgrade."""
    if not project.reread_until:
        return
    dates = [
        datetime.fromisoformat(annotation["updated_at"]).timestamp()
        for annotations in store.annotations.of_project(project.key).values()
        for annotation in annotations
        if was_misread(config, annotation)
    ]
    notes = {
        version.number: f"learned from {count} annotations that were misread then"
        for version in store.versions.list(project.key)
        if version.gold_count and version.created_at < project.reread_until
        if (count := sum(date <= version.created_at for date in dates))
    }
    store.versions.note(project.key, notes)
    store.projects.finish_rereading(project.key)

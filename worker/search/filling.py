"""Keep a project's index up to date: rows of tasks whose features are there, and none of tasks that are gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.features.item import ItemFeatures
from model.search.copies import picture_hash
from model.search.projection import MOST, SEED, Projection, reading_of, title_of
from store.projects import Project
from store.tasks import Task
from worker.corpus.families import family_of
from worker.search.index import Entry, Index, State, family_number
from worker.search.looking import index_of, looks, way_of
from worker.search.projections import Projections
from worker.watch import Ends
from worker.workplace import Workplace

PART = 128
"""Items that become rows in one transaction."""


@dataclass(frozen=True)
class Filled:
    """How many items were added or renewed, and how many removed; ``total`` are in the index now."""

    added: int
    removed: int
    total: int


def fill(workplace: Workplace, project: Project, watch: Ends) -> Filled:
    """Bring a project's index up to date with its tasks and their features.

    It costs what is new or changed, and a look at the dates of all tasks. Raises Interrupted between two parts when the
    job must end; what was added by then counts.
    """
    index, space = index_of(workplace, project.key), workplace.extractor.space
    before = index.state()
    news = _News()
    for look in looks(workplace, project):
        news.gone += look.gone
        news.kept += len(look.held)
        for task, name in _named(workplace, project, look.new):
            # Its date is another one, but not what anybody searches.
            if look.held.get(task.id) == name:
                news.same[task.id] = task.updated_us
                continue
            news.kept -= task.id in look.held
            if workplace.cache.has(name):
                news.fresh.append(task.id)
            # A task that was changed and is not read again yet is not found by what it was.
            elif task.id in look.held:
                news.gone.append(task.id)
    if not news.fresh and not news.gone:
        if news.same:
            with index.writing() as writer:
                writer.note(news.same)
        return Filled(0, 0, news.kept)

    def everything() -> list[int]:
        held = {number for look in looks(workplace, project) for number in look.held}
        return sorted((held | set(news.fresh)) - set(news.gone))

    def sample() -> Sequence[ItemFeatures]:
        here = everything()
        order = [here[place] for place in np.random.default_rng(SEED).permutation(len(here)).tolist()]
        parts = (order[start : start + PART] for start in range(0, len(order), PART))
        return list(islice((item for part in parts for _, _, item in _read(workplace, project, part)), MOST))

    projections = Projections(workplace.settings.paths.search, space)
    projection = projections.for_items(news.kept + len(news.fresh), sample)
    if projection is None:
        return Filled(0, 0, 0)
    is_as_before = before.file and (before.space, before.projection) == (space, projection.digest)
    left = sorted(news.fresh) if is_as_before else everything()
    with index.writing() as writer:
        writer.begin(space, projection.digest)
        writer.read_as(way_of(workplace, project))
        writer.remove(news.gone)
        writer.note(news.same)
    added = 0
    for start in range(0, len(left), PART):
        if added:
            watch.check()
        entries, items = [], []
        for task, name, item in _read(workplace, project, left[start : start + PART]):
            family = family_of(item.title, task.data, task.id, workplace.settings.tasks.family_key)
            about = (family_number(family), picture_hash(item), title_of(item), reading_of(item), item.industry)
            # The date at which the task was read: one that changed since is looked at again.
            entries.append(Entry(task.id, task.updated_us, name, *about))
            items.append(item)
        added += _added(index, projection, entries, items)
    if index.state().projection != before.projection:
        projections.prune({projection.digest, *_used(workplace)})
    return Filled(added, len(news.gone), index.count())


@dataclass
class _News:
    """What an index has missed, by task ids.

    ``kept`` is how many of its rows are as they should be, ``same`` are those of them whose tasks have new dates.
    """

    fresh: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    same: dict[int, int] = field(default_factory=dict)
    kept: int = 0


def _named(workplace: Workplace, project: Project, ids: Sequence[int]) -> Iterator[tuple[Task, str]]:
    """Yield those of these tasks that there are, each with the key of its features."""
    key, config = ProjectKey.parse(project.key), workplace.config_of(project)
    for task in workplace.store.tasks.some(project.key, ids).values():
        yield task, item_key(key.connection, reference_of(config, task.payload(), key))


def _read(workplace: Workplace, project: Project, ids: Sequence[int]) -> Iterator[tuple[Task, str, ItemFeatures]]:
    """Yield those of these tasks that are read, each with the key of its features and with these."""
    for task, name in _named(workplace, project, ids):
        item = workplace.cache.get(name)
        if item is not None:
            yield task, name, item


def _added(index: Index, projection: Projection, entries: Sequence[Entry], items: Sequence[ItemFeatures]) -> int:
    """Add one part, unless another job has begun the index anew with another projection."""
    vectors_ND = projection.vectors(items)
    with index.writing() as writer:
        if writer.state.projection != projection.digest:
            return 0
        writer.add(entries, vectors_ND)
    return len(entries)


def _used(workplace: Workplace) -> Iterator[str]:
    """Yield the digests of the projections that projects use."""
    for folder in workplace.settings.paths.search.glob("*/items.db"):
        state: State = Index(folder.parent).state()
        if state.projection:
            yield state.projection

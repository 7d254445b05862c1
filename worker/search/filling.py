"""Keep a project's index up to date: rows of tasks whose features are there, and none of tasks that are gone."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from labelstudio.project import ProjectKey, file_name
from labelstudio.tasks import item_key, reference_of
from model.features.item import ItemFeatures
from model.search.copies import picture_hash
from model.search.projection import MOST, SEED, Projection, reading_of, title_of
from store.projects import Project
from worker.corpus.families import family_of
from worker.search.index import Entry, Index, State, family_number
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


def index_of(workplace: Workplace, project_key: str) -> Index:
    """Return a project's index, which need not be there."""
    return Index(workplace.settings.paths.search / file_name(project_key))


def fill(workplace: Workplace, project: Project, watch: Ends) -> Filled:
    """Bring a project's index up to date with its tasks and their features.

    It costs what is new or changed, and a look at the dates of all tasks. Raises Interrupted between two parts when the
    job must end; what was added by then counts.
    """
    key, config = ProjectKey.parse(project.key), workplace.config_of(project)
    cache, index = workplace.cache, index_of(workplace, project.key)
    before = index.state()
    held = held_by(index) if before.space == workplace.extractor.space else {}
    reading = _reading(workplace, project)
    dates = workplace.store.tasks.dates(project.key)
    known: dict[int, int] = {}
    if held:
        with index.writing() as writer:
            known = writer.dates(reading)
    unlike = [number for number, date in dates.items() if known.get(number) != date]
    tasks = workplace.store.tasks.some(project.key, unlike)
    wanted = {number: held[number] for number in dates.keys() & known.keys() - set(unlike)}
    for number, task in tasks.items():
        wanted[number] = item_key(key.connection, reference_of(config, task.payload(), key))
    kept = {number for number, name in wanted.items() if held.get(number) == name}
    fresh = [number for number, name in wanted.items() if number not in kept and cache.has(name)]
    # Tasks that changed in what nobody searches.
    same = {number: dates[number] for number in tasks if number in kept}
    if not fresh and held.keys() == kept:
        if same:
            with index.writing() as writer:
                writer.note(same)
        return Filled(0, 0, len(held))

    def sample() -> Sequence[ItemFeatures]:
        here = [*sorted(kept), *fresh]
        order = np.random.default_rng(SEED).permutation(len(here)).tolist()
        loaded = (cache.get(wanted[here[place]]) for place in order)
        return list(islice((item for item in loaded if item is not None), MOST))

    projections = Projections(workplace.settings.paths.search, workplace.extractor.space)
    projection = projections.for_items(len(kept) + len(fresh), sample)
    if projection is None:
        return Filled(0, 0, 0)
    with index.writing() as writer:
        writer.begin(workplace.extractor.space, projection.digest)
        writer.dates(reading)
        held = writer.held()
        # A task that was changed and is not read again yet is not found by what it was.
        gone = {number for number, name in held.items() if wanted.get(number) != name} - set(fresh)
        writer.remove(gone)
        writer.note({number: date for number, date in same.items() if number in held})
    left = [number for number in sorted({*kept, *fresh}) if held.get(number) != wanted[number]]
    added = 0
    for start in range(0, len(left), PART):
        if added:
            watch.check()
        entries, items = [], []
        for number, task in workplace.store.tasks.some(project.key, left[start : start + PART]).items():
            item = cache.get(wanted[number])
            if item is not None:
                # The date that was seen first: a task that changed since is looked at again.
                family = family_of(item.title, task.data, number, workplace.settings.tasks.family_key)
                about = (family_number(family), picture_hash(item), title_of(item), reading_of(item), item.industry)
                entries.append(Entry(number, dates[number], wanted[number], *about))
                items.append(item)
        added += _added(index, projection, entries, items)
    if index.state().projection != before.projection:
        projections.prune({projection.digest, *_used(workplace)})
    return Filled(added, len(gone), len(held_by(index)))


def _added(index: Index, projection: Projection, entries: Sequence[Entry], items: Sequence[ItemFeatures]) -> int:
    """Add one part, unless another job has begun the index anew with another projection."""
    vectors_ND = projection.vectors(items)
    with index.writing() as writer:
        if writer.state.projection != projection.digest:
            return 0
        writer.add(entries, vectors_ND)
    return len(entries)


def _reading(workplace: Workplace, project: Project) -> str:
    """Return a name for the way in which the project's tasks are read: another one makes other items of them."""
    tasks = workplace.settings.tasks
    way = (project.label_config, project.industry_keys or tasks.industry_keys, tasks.family_key)
    return hashlib.sha256(repr(way).encode()).hexdigest()[:16]


def held_by(index: Index) -> dict[int, str]:
    """Return the item keys of all tasks that an index holds, by task id."""
    if not index.is_there():
        return {}
    with index.reading() as connection:
        return dict(connection.execute("SELECT task_id, item_key FROM items"))


def _used(workplace: Workplace) -> Iterator[str]:
    """Yield the digests of the projections that projects use."""
    for folder in workplace.settings.paths.search.glob("*/items.db"):
        state: State = Index(folder.parent).state()
        if state.projection:
            yield state.projection

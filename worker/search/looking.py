"""Which tasks of a project are new or changed since its index saw them, found by dates, without reading any task."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labelstudio.project import file_name
from store.projects import Project
from worker.search.index import Index
from worker.workplace import Workplace

PAGE = 2_000
"""Tasks that are looked at together: what a look keeps in memory does not grow with the project."""
LAST_ID = 2**63 - 1


@dataclass(frozen=True)
class Look:
    """A page of a project's tasks, in the order of ids.

    ``held`` are those in the index, with the keys of their items. ``new`` are those that it does not have, or has with
    another date. ``gone`` are in the index alone.
    """

    dates: Mapping[int, int]
    held: Mapping[int, str]
    new: Sequence[int]
    gone: Sequence[int]


def index_of(workplace: Workplace, project_key: str) -> Index:
    """Return a project's index, which need not be there."""
    return Index(workplace.settings.paths.search / file_name(project_key))


def looks(workplace: Workplace, project: Project, after: int = -1) -> Iterator[Look]:
    """Yield all tasks with ids above ``after``, page by page.

    An index of other features holds nothing, and tasks are new to it if they are read in another way now (labelling
    config, keys of the data).
    """
    index, tasks = index_of(workplace, project.key), workplace.store.tasks
    is_ours = index.is_there() and index.state().space == workplace.extractor.space
    if is_ours:
        with index.writing() as writer:
            writer.read_as(way_of(workplace, project))
    is_last = False
    while not is_last:
        dates = tasks.dates(project.key, after, PAGE)
        is_last = len(dates) < PAGE
        upto = LAST_ID if is_last else max(dates)
        known = index.known(after, upto) if is_ours else {}
        yield Look(
            dates,
            {number: key for number, (key, _) in known.items() if number in dates},
            [number for number, date in dates.items() if number not in known or known[number][1] != date],
            [number for number in known if number not in dates],
        )
        after = upto


def way_of(workplace: Workplace, project: Project) -> str:
    """Return a name for the way in which the project's tasks are read: another one makes other items of them."""
    tasks = workplace.settings.tasks
    way = (project.label_config, project.industry_keys or tasks.industry_keys, tasks.family_key)
    return hashlib.sha256(repr(way).encode()).hexdigest()[:16]

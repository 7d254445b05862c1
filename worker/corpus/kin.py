"""Tasks that show nearly the same: views of one product, and look-alikes. One of them teaches most of what all do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from labelstudio.config import LabelConfig
from labelstudio.tasks import reference_of
from store.projects import Project
from store.store import Store
from worker.corpus.families import family_of


@dataclass(frozen=True)
class Kin:
    """The kin of each task by a name that its tasks share, and the names of kin of which a task is annotated."""

    names: Mapping[int, str]
    labelled: frozenset[str] = frozenset()

    def of(self, task_id: int) -> str:
        """Return the name of a task's kin; one of its own for a task that is not known."""
        return self.names.get(task_id, f"task {task_id}")


def kin_of(store: Store, project: Project, config: LabelConfig, family_key: str) -> Kin:
    """Return the kin of a project's tasks: tasks of one product family are kin, and so are kept look-alikes.

    ``family_key`` is the setting of that name.
    """
    families = {}
    for task in store.tasks.all(project.key):
        title = reference_of(config, task.payload()).title
        families[task.id] = family_of(title, task.data, task.id, family_key)
    # Look-alikes do not depend on the version; the one before knows them until the served one has answered.
    alike = {
        answer.task_id: answer.look_alike
        for version in reversed(store.answers.versions(project.key))
        for answer in store.answers.of_version(project.key, version)
    }
    names = joined(families, alike)
    labelled = store.annotations.task_ids(project.key)
    return Kin(names, frozenset(names[number] for number in labelled if number in names))


def joined(families: Mapping[int, str], alike: Mapping[int, int]) -> dict[int, str]:
    """Return a name for each task of ``families`` that all share which a chain of families and look-alikes joins."""
    rows = {number: row for row, number in enumerate(families)}
    products = {name: len(rows) + row for row, name in enumerate(dict.fromkeys(families.values()))}
    edges = [(rows[number], products[name]) for number, name in families.items()]
    edges += [(rows[number], rows[first]) for number, first in alike.items() if number in rows and first in rows]
    return dict(zip(rows, _components(edges, len(rows) + len(products)), strict=False))


def _components(edges: Iterable[tuple[int, int]], size: int) -> list[str]:
    if not size:
        return []
    ends_E2 = np.array([*edges], dtype=np.int64)
    graph = coo_array((np.ones(len(ends_E2)), (ends_E2[:, 0], ends_E2[:, 1])), shape=(size, size))
    return [str(name) for name in connected_components(graph, directed=False)[1]]

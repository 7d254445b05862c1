"""The labels of items by which a search filters: gold where there is some, else what the served version says."""

from collections.abc import Collection

from labelstudio.config import LabelConfig
from store.projects import Project
from store.store import Store
from worker.corpus.gold import project_gold


def labels_of(
    store: Store, project: Project, config: LabelConfig, task_ids: Collection[int]
) -> dict[int, tuple[str, ...]]:
    """Return the labels of these tasks, in the order of the labelling config; tasks without any are missing."""
    found = {}
    if versions := store.answers.versions(project.key):
        answers = store.answers.of_tasks(project.key, versions[0], task_ids)
        found = {number: answer.labels for number, answer in answers.items()}
    for number, gold in project_gold(store, project, config, task_ids, page=task_ids).by_task.items():
        found[number] = tuple(label for label in config.labels if label in (gold.labels or ()))
    return {number: labels for number, labels in found.items() if labels}


def tagged(store: Store, project: Project, config: LabelConfig, labels: Collection[str]) -> list[int]:
    """Return the tasks with one of these labels.

    The database finds them by the labels that the last training or keeping of answers noted, so that it does not take
    the reading of all answers; gold of tasks that had none then is read now.
    """
    versions = store.answers.versions(project.key)
    found = set(store.gallery.with_labels(project.key, versions[0] if versions else "", labels))
    if new := store.annotations.task_ids(project.key) - store.gallery.gold_tasks(project.key):
        for number, gold in project_gold(store, project, config, new, page=new).by_task.items():
            found.discard(number)
            if set(gold.labels or ()) & set(labels):
                found.add(number)
    return list(found)

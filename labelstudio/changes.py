"""Convert tasks and annotations, as webhooks and the API send them, into the states that the store merges.

Only this module reads these parts of Label Studio's objects.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

from labelstudio.columns import without_columns
from store.changes import AnnotationState, Change, TaskState, is_id
from store.values import DEPTH, is_deep, microseconds_of, shortened, storable

LOG = logging.getLogger(__name__)

SECRETS = frozenset({"token", "access_token", "password", "task_data_login", "task_data_password"})
INCOMPLETE = frozenset({"TASKS_CREATED"})  # events that leave out annotations imported with the tasks
MOST_ENTRIES = 10_000  # tasks and annotations of one event; applied within the second that Label Studio waits
LONGEST_LEAD = 1e9  # seconds; a longer lead time is nonsense
MOST_REGIONS = 150_000  # regions in all annotations of one event, for the same reason
DELETIONS = frozenset({"TASKS_DELETED", "ANNOTATIONS_DELETED"})

T = TypeVar("T")


def task_state(task: Mapping[str, Any]) -> TaskState:
    """Return the state of Label Studio's task object. ValueError without a usable id, or for data nested too deeply."""
    data = task.get("data")
    if is_deep(data):
        raise ValueError(f"its data is nested deeper than {DEPTH} levels")
    return TaskState(_id(task), without_columns(data) if isinstance(data, dict) else {}, _microseconds(task))


def annotation_state(annotation: Mapping[str, Any]) -> AnnotationState:
    """Return the state of Label Studio's annotation object, which names its task. ValueError as for ``task_state``."""
    task = annotation.get("task")
    result = annotation.get("result")
    if is_deep(result):
        raise ValueError(f"its result is nested deeper than {DEPTH} levels")
    return AnnotationState(
        annotation_id=_id(annotation),
        task_id=_id(task if isinstance(task, dict) else {"id": task}),
        result=result if isinstance(result, list) else [],
        was_cancelled=bool(annotation.get("was_cancelled")),
        ground_truth=bool(annotation.get("ground_truth")),
        updated_us=_microseconds(annotation),
        completed_by=_person(annotation.get("completed_by")),
        # Annotations that were made many at a time tell nothing of the time that one takes.
        lead_seconds=None if annotation.get("bulk_created") else _seconds(annotation.get("lead_time")),
    )


def change_of(project_key: str, body: Mapping[str, Any]) -> Change:
    """Return the change that a webhook's body makes. Never raises.

    An unknown action changes nothing. An entry without a usable id is left out, and the next reconcile repairs it. If
    an event is too large to be applied while Label Studio waits (MOST_ENTRIES, MOST_REGIONS), its tasks and annotations
    are left to the next reconcile. In all these cases the event log keeps the event.
    """
    action = str(body.get("action", ""))
    tasks = [*_objects(body, "task"), *_objects(body, "tasks")]
    annotations = [*_objects(body, "annotation"), *_objects(body, "annotations")]
    entries, regions = len(tasks) + len(annotations), sum(map(_regions, annotations))
    is_large = entries > MOST_ENTRIES or regions > MOST_REGIONS
    if is_large:
        large = f"{action} with {entries} tasks and annotations, {regions} regions"
        LOG.warning("webhook: %s is left to the next reconcile, which needs LABEL_STUDIO_URL", large)
        tasks, annotations = [], []
    deletes = action in DELETIONS
    project = body.get("project")
    project = project if isinstance(project, dict) else {}
    return Change(
        project_key=project_key,
        action=action,
        tasks=() if deletes else tasks_of(tasks),
        annotations=() if deletes else _annotations(annotations, tasks),
        deleted_tasks=[_id(entry) for entry in tasks] if action == "TASKS_DELETED" else (),
        deleted_annotations=[_id(entry) for entry in annotations] if action == "ANNOTATIONS_DELETED" else (),
        # In the form in which the store holds it, because the two are compared.
        label_config=storable(str(project.get("label_config") or "")),
        title=str(project.get("title") or ""),
        config_us=_microseconds(project),
        asks_reconcile=action in INCOMPLETE or is_large,
        body=_without_secrets(body),
    )


def tasks_of(tasks: Iterable[Mapping[str, Any]]) -> list[TaskState]:
    """Return the states of task objects. Those without a usable id are left out; other unusable ones are logged too."""
    return list(_read(task_state, (task for task in tasks if is_id(task.get("id"))), "task"))


def annotations_of(annotations: Iterable[Mapping[str, Any]]) -> list[AnnotationState]:
    """Return the states of annotation objects; unusable ones are left out and logged."""
    return list(_read(annotation_state, annotations, "annotation"))


def _read(read: Callable[[Mapping[str, Any]], T], entries: Iterable[Mapping[str, Any]], what: str) -> Iterator[T]:
    for entry in entries:
        try:
            yield read(entry)
        except ValueError as error:
            LOG.warning("the %s %.40r is left out: %s", what, entry.get("id"), error)


def _annotations(annotations: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]]) -> list[AnnotationState]:
    only_task = _id(tasks[0]) if len(tasks) == 1 else None
    placed = [{"task": only_task, **entry} for entry in annotations]
    return annotations_of(entry for entry in placed if _has_id(entry["task"]) or is_id(entry["task"]))


def _objects(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    # ANNOTATIONS_CREATED sends lists under the singular names.
    value = body.get(key)
    entries = value if isinstance(value, list) else [value]
    found = [entry for entry in entries if _has_id(entry)]
    odd = sum(isinstance(entry, dict) for entry in entries) - len(found)
    if odd:
        LOG.warning("webhook: %d entries of %r without a usable id are left out", odd, key)
    return found


def _regions(annotation: Mapping[str, Any]) -> int:
    result = annotation.get("result")
    return len(result) if isinstance(result, list) else 0


def _has_id(entry: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(entry, dict) and is_id(entry.get("id"))


def _id(entry: Mapping[str, Any]) -> int:
    value = entry.get("id")
    if not is_id(value):
        raise ValueError(f"id {value!r} is not a whole number")
    return value


def _person(value: object) -> int | None:
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, int) else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < LONGEST_LEAD else None


def _microseconds(entry: Mapping[str, Any]) -> int:
    """Return `updated_at` (or `created_at`) in microseconds; 0, which is older than any date, if it cannot be read."""
    try:
        return microseconds_of(entry.get("updated_at") or entry.get("created_at"))
    except ValueError:
        return 0


def _without_secrets(body: Mapping[str, Any]) -> str:
    """Return the body as JSON for the event log, without secrets and with long texts and lists cut.

    Of the project only id and creation time are kept, since it also holds the label config, the owner and the token.
    """
    project = body.get("project")
    kept = {name: value for name, value in body.items() if name not in SECRETS | {"project"}}
    if isinstance(project, dict):
        kept["project"] = {name: project.get(name) for name in ("id", "created_at")}
    return json.dumps(shortened(kept), separators=(",", ":"))

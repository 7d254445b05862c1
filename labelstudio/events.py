"""What Label Studio's webhooks and its Start training button say, as typed events.

The payloads carry no event id: an annotation's id and updated_at are all there is to tell a repeated delivery by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from labelstudio.project import DEFAULT_CONNECTION, ProjectKey

_SECRETS = {"token", "task_data_login", "task_data_password", "access_token"}


@dataclass(frozen=True)
class ProjectState:
    """The project as its webhook shows it, without secrets."""

    key: ProjectKey
    title: str
    label_config: str


@dataclass(frozen=True)
class AnnotationsSaved:
    """Annotations that were created, changed or skipped (``was_cancelled``), with their tasks."""

    project: ProjectState
    annotations: tuple[Mapping[str, Any], ...]
    tasks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class AnnotationsDeleted:
    """Ids only: Label Studio does not say of which task."""

    project: ProjectState
    ids: tuple[int, ...]


@dataclass(frozen=True)
class TasksCreated:
    """New tasks. Annotations that were imported with them are not told: reconcile finds those."""

    project: ProjectState
    tasks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class TasksDeleted:
    project: ProjectState
    ids: tuple[int, ...]


@dataclass(frozen=True)
class ProjectUpdated:
    """Any change of the project; compare ``label_config`` to know whether it matters."""

    project: ProjectState


@dataclass(frozen=True)
class TrainingRequested:
    """The Start training button, or every N annotations."""

    project: ProjectState


@dataclass(frozen=True)
class Ignored:
    """An action that says nothing to us, such as LABEL_LINK_CREATED."""

    action: str


Event: TypeAlias = (
    AnnotationsSaved | AnnotationsDeleted | TasksCreated | TasksDeleted | ProjectUpdated | TrainingRequested | Ignored
)


class BadEventError(ValueError):
    """A body that is no webhook of Label Studio; the message names what is missing."""


def parse(body: Any, connection: str = DEFAULT_CONNECTION) -> Event:
    """The event of one webhook body. Raises BadEventError; unknown actions are Ignored."""
    action = body.get("action") if isinstance(body, dict) else None
    if not isinstance(action, str):
        raise BadEventError("the body needs an 'action'")
    if action not in _READERS:
        return Ignored(action)
    return _READERS[action](body, _project(body, connection))


def without_secrets(value: Any) -> Any:
    """A copy of a payload without tokens and passwords, safe to store and to log."""
    if isinstance(value, dict):
        return {key: without_secrets(entry) for key, entry in value.items() if key not in _SECRETS}
    return [without_secrets(entry) for entry in value] if isinstance(value, list) else value


def _project(body: Mapping[str, Any], connection: str) -> ProjectState:
    project = body.get("project")
    if not isinstance(project, dict):
        raise BadEventError("the body needs a 'project' object")
    try:
        key = ProjectKey.of_webhook(project, connection)
    except ValueError as error:
        raise BadEventError(str(error)) from error
    return ProjectState(key, str(project.get("title") or ""), str(project.get("label_config") or ""))


def _entries(body: Mapping[str, Any], *names: str) -> tuple[Mapping[str, Any], ...]:
    """The objects with an integer id under the first name that is there: one object or a list of them."""
    found = next((body[name] for name in names if name in body), None)
    entries = found if isinstance(found, list) else [found]
    kept = tuple(
        without_secrets(entry)
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), int) and not isinstance(entry["id"], bool)
    )
    if not kept and entries:
        raise BadEventError(f"the body needs {names[0]!r} with an 'id' each")
    return kept


def _ids(body: Mapping[str, Any], *names: str) -> tuple[int, ...]:
    return tuple(entry["id"] for entry in _entries(body, *names))


def _saved(body: Mapping[str, Any], project: ProjectState) -> Event:
    annotations = _entries(body, "annotation", "annotations")
    tasks = _entries(body, "task", "tasks") if body.get("task") or body.get("tasks") else ()
    single = tasks[0]["id"] if len(tasks) == 1 else None
    placed = tuple({"task": single, **entry} if single is not None else entry for entry in annotations)
    return AnnotationsSaved(project, tuple(entry for entry in placed if isinstance(entry.get("task"), int)), tasks)


def _deleted(body: Mapping[str, Any], project: ProjectState) -> Event:
    return AnnotationsDeleted(project, _ids(body, "annotations", "annotation"))


def _tasks_created(body: Mapping[str, Any], project: ProjectState) -> Event:
    return TasksCreated(project, _entries(body, "tasks", "task"))


def _tasks_deleted(body: Mapping[str, Any], project: ProjectState) -> Event:
    return TasksDeleted(project, _ids(body, "tasks", "task"))


_READERS: dict[str, Callable[[Mapping[str, Any], ProjectState], Event]] = {
    "ANNOTATION_CREATED": _saved,
    "ANNOTATION_UPDATED": _saved,
    "ANNOTATIONS_CREATED": _saved,
    "ANNOTATIONS_DELETED": _deleted,
    "TASKS_CREATED": _tasks_created,
    "TASKS_DELETED": _tasks_deleted,
    "PROJECT_UPDATED": lambda body, project: ProjectUpdated(project),
    "START_TRAINING": lambda body, project: TrainingRequested(project),
}

"""Read the action and the project of Label Studio's webhooks and of its Start training button.

`labelstudio.changes` reads the changes to tasks and annotations. The payloads have no event id; only an annotation's
id and updated_at identify a repeated delivery.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from labelstudio.changes import change_of
from labelstudio.project import DEFAULT_CONNECTION, ProjectKey
from store.changes import Change, is_id

# Most annotations of an event that a log line names, and most characters of its action.
LOGGED_IDS, LOGGED_ACTION = 10, 64


class Action(StrEnum):
    """Every action that Label Studio 1.23.2 sends to a project's webhook or backend. It sends no ANNOTATION_DELETED."""

    ANNOTATION_CREATED = "ANNOTATION_CREATED"  # also for skips (was_cancelled)
    ANNOTATION_UPDATED = "ANNOTATION_UPDATED"  # also for the ground truth star
    ANNOTATIONS_CREATED = "ANNOTATIONS_CREATED"  # predictions to annotations; lists under the singular keys
    ANNOTATIONS_DELETED = "ANNOTATIONS_DELETED"  # ids only, no task
    TASKS_CREATED = "TASKS_CREATED"  # leaves out annotations that were imported with the tasks
    TASKS_DELETED = "TASKS_DELETED"
    PROJECT_UPDATED = "PROJECT_UPDATED"  # any change of the project: compare label_config
    START_TRAINING = "START_TRAINING"
    LABEL_LINK_CREATED = "LABEL_LINK_CREATED"
    LABEL_LINK_UPDATED = "LABEL_LINK_UPDATED"
    LABEL_LINK_DELETED = "LABEL_LINK_DELETED"

    @property
    def changes_gold(self) -> bool:
        """Whether the action may change the gold."""
        return self.startswith("ANNOTATION") or self is Action.TASKS_DELETED


@dataclass(frozen=True)
class Event:
    """One webhook, and the change that it makes to what the store knows.

    ``action`` is None for an action that ``Action`` does not list: it changes nothing, and is logged all the same.
    """

    action: Action | None
    project: ProjectKey
    change: Change


_ACTIONS = {action.value: action for action in Action}


class BadEventError(ValueError):
    """A body that is not a webhook of Label Studio; the message names what is missing."""


def parse(body: Any, connection: str = DEFAULT_CONNECTION) -> Event:
    """Read one webhook's body, for a project on ``connection``. Raises BadEventError."""
    name = body.get("action") if isinstance(body, dict) else None
    if not isinstance(name, str):
        raise BadEventError("the body needs an 'action'")
    project = body.get("project")
    if not isinstance(project, dict):
        raise BadEventError("the body needs a 'project' object")
    try:
        key = ProjectKey.of_webhook(project, connection)
        change = change_of(str(key), body)
    except (ValueError, OverflowError) as error:
        raise BadEventError(str(error)) from error
    return Event(_ACTIONS.get(name), key, change)


def ids_of(body: Mapping[str, Any], connection: str) -> dict[str, Any]:
    """Return for the log what a webhook is about: its action, project, and the first annotations by id. Never raises.

    ``body`` may hold anything.
    """
    ids: dict[str, Any] = {"action": str(body.get("action"))[:LOGGED_ACTION]}
    with suppress(ValueError):
        ids["project"] = str(ProjectKey.of_webhook(body.get("project") or {}, connection))
    value = body.get("annotation") or body.get("annotations")
    entries = value if isinstance(value, list) else [value]
    found = [entry["id"] for entry in entries[:LOGGED_IDS] if isinstance(entry, dict) and is_id(entry.get("id"))]
    return {**ids, "annotations": found} if found else ids

"""Read the action and the project of Label Studio's webhooks and of its Start training button.

The changes to tasks and annotations are read by store/changes.py. The payloads have no event id; only an annotation's
id and updated_at identify a repeated delivery.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from labelstudio.project import DEFAULT_CONNECTION, ProjectKey


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
    """One webhook. ``action`` is None for an action that ``Action`` does not list; callers log and ignore it."""

    action: Action | None
    project: ProjectKey


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
    except ValueError as error:
        raise BadEventError(str(error)) from error
    return Event(_ACTIONS.get(name), key)

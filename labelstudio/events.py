"""What Label Studio's webhooks and its Start training button say. The store reads what they change (store/changes.py).

The payloads carry no event id: an annotation's id and updated_at are all there is to tell a repeated delivery by.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from labelstudio.project import DEFAULT_CONNECTION, ProjectKey


class Action(StrEnum):
    """Every action that Label Studio 1.23.2 sends to a project's webhook or backend; there is no ANNOTATION_DELETED."""

    ANNOTATION_CREATED = "ANNOTATION_CREATED"  # also for skips (was_cancelled)
    ANNOTATION_UPDATED = "ANNOTATION_UPDATED"  # also for the ground truth star
    ANNOTATIONS_CREATED = "ANNOTATIONS_CREATED"  # predictions to annotations; lists under the singular keys
    ANNOTATIONS_DELETED = "ANNOTATIONS_DELETED"  # ids only, no task
    TASKS_CREATED = "TASKS_CREATED"  # annotations that are imported with tasks are not told
    TASKS_DELETED = "TASKS_DELETED"
    PROJECT_UPDATED = "PROJECT_UPDATED"  # any change of the project: compare label_config
    START_TRAINING = "START_TRAINING"
    LABEL_LINK_CREATED = "LABEL_LINK_CREATED"
    LABEL_LINK_UPDATED = "LABEL_LINK_UPDATED"
    LABEL_LINK_DELETED = "LABEL_LINK_DELETED"

    @property
    def changes_gold(self) -> bool:
        """Whether training may have something new to learn from."""
        return self.startswith("ANNOTATION") or self is Action.TASKS_DELETED


@dataclass(frozen=True)
class Event:
    """One webhook. ``action`` is None for one that this list does not know: it is logged and otherwise passed over."""

    action: Action | None
    project: ProjectKey


_ACTIONS = {action.value: action for action in Action}


class BadEventError(ValueError):
    """A body that is no webhook of Label Studio; the message names what is missing."""


def parse(body: Any, connection: str = DEFAULT_CONNECTION) -> Event:
    """The event of one webhook body, of a project on ``connection``. Raises BadEventError."""
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

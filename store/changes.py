"""The states of tasks and annotations that the store merges, and the change that one event makes to them.

`labelstudio.changes` reads them from webhooks and from the API, so a reconcile applies the same shapes as events do.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard


@dataclass(frozen=True)
class TaskState:
    """A task as Label Studio described it at `updated_us`."""

    task_id: int
    data: Mapping[str, Any]
    updated_us: int


@dataclass(frozen=True)
class AnnotationState:
    """An annotation as Label Studio described it at `updated_us`."""

    annotation_id: int
    task_id: int
    result: Sequence[Mapping[str, Any]]
    was_cancelled: bool
    ground_truth: bool
    updated_us: int
    completed_by: int | None = None

    @cached_property
    def content(self) -> str:
        """Everything but the order of events, as canonical JSON: equal contents are the same gold.

        Keys are sorted: `was_cancelled` stands last, where `is_cancelled` finds it.
        """
        return json.dumps(
            {
                "result": self.result,
                "was_cancelled": self.was_cancelled,
                "ground_truth": self.ground_truth,
                "completed_by": self.completed_by,
            },
            sort_keys=True,
            separators=(",", ":"),
        )


@dataclass(frozen=True)
class Change:
    """Effect of one event on one project. `body` is what the event log keeps (without secrets and project settings)."""

    project_key: str
    action: str
    tasks: Sequence[TaskState] = ()
    annotations: Sequence[AnnotationState] = ()
    deleted_tasks: Sequence[int] = ()
    deleted_annotations: Sequence[int] = ()
    label_config: str = ""
    title: str = ""
    config_us: int = 0
    asks_reconcile: bool = False
    body: str = ""


def is_cancelled(content: str) -> bool:
    """Whether an annotation's `content` is one that was skipped; it may be long, so it is not read for that."""
    return content.endswith('"was_cancelled":true}')


def merged(changes: Sequence[Change]) -> Change:
    """One change with the effect of all of them, which are of one project: joining state knows no order."""
    newest = max(changes, key=lambda change: (bool(change.label_config), change.config_us))
    return Change(
        project_key=newest.project_key,
        action=newest.action,
        tasks=[task for change in changes for task in change.tasks],
        annotations=[annotation for change in changes for annotation in change.annotations],
        deleted_tasks=[task_id for change in changes for task_id in change.deleted_tasks],
        deleted_annotations=[number for change in changes for number in change.deleted_annotations],
        label_config=newest.label_config,
        title=newest.title,
        config_us=newest.config_us,
        asks_reconcile=any(change.asks_reconcile for change in changes),
    )


def is_id(value: object) -> TypeGuard[int]:
    """Whether a value can be an id: a whole number that a database's integer holds."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63

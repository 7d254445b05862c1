"""The states of tasks and annotations that the store merges, and the change that one event makes to them.

`labelstudio.changes` makes them from webhooks and from the API, so events and reconciles are merged in the same way.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

SKIPPED = '"was_cancelled":true}'
"""How the content of a skipped annotation ends."""


@dataclass(frozen=True)
class TaskState:
    """A task as Label Studio described it at `updated_us`."""

    task_id: int
    data: Mapping[str, Any]
    updated_us: int


@dataclass(frozen=True)
class AnnotationState:
    """An annotation as Label Studio described it at `updated_us`. Its ``lead_seconds`` are no gold."""

    annotation_id: int
    task_id: int
    result: Sequence[Mapping[str, Any]]
    was_cancelled: bool
    ground_truth: bool
    updated_us: int
    completed_by: int | None = None
    lead_seconds: float | None = None

    @cached_property
    def content(self) -> str:
        """The annotation without ids and date, as canonical JSON: equal contents give the same gold.

        Keys are sorted, so `was_cancelled` is the last one; `is_cancelled` relies on that.
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
    """The effect of one event on one project. `body` is the event log's entry, without secrets and project settings."""

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
    """Return whether the annotation with this `content` was skipped. The content may be long, so it is not parsed."""
    return content.endswith(SKIPPED)


def merged(changes: Sequence[Change]) -> Change:
    """Return one change with the effect of these changes of one project; states merge alike in any order."""
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
    """Return whether a value can be an id: a whole number that fits into a database's integer."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63

"""Merge messages from Label Studio into the stored rows of tasks and annotations.

The result does not depend on how often a message arrives or in which order. Each incoming state is merged with the
stored row: a deletion is final; otherwise the greater ``updated_us`` wins, and of two contents with the same stamp the
one that sorts last. This merge is commutative, associative and idempotent (a state-based CRDT, Shapiro et al. 2011), so
events that arrive twice, late or shuffled lead to the same rows.

One case breaks this rule: a Label Studio that was restored from a backup lists objects that the store holds as deleted
(Label Studio reuses their ids), or older contents. Therefore a caller that applies such a list passes ``settled``, an
instant well before it requested the list. For rows last seen at or before that instant the list wins. Webhook events
never pass ``settled``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, select, update

from store.changes import AnnotationState, TaskState, is_cancelled
from store.database import among, upsert
from store.tables import ANNOTATIONS, PROJECTS, TASKS

NEVER = 0.0  # the value of ``settled`` for which no row is settled: every row was seen later
CHUNK = 500  # rows that one statement looks up; SQLite allows 32,766 parameters

T = TypeVar("T")


def lock_project(connection: Connection, project_key: str) -> bool:
    """Lock the project's row until the transaction ends, so that no other transaction changes the project meanwhile.

    Returns whether the project has a row. What is written of one that has none, because it was forgotten meanwhile,
    would bring a part of it back.

    A transaction takes this lock before all other locks on rows of the project; otherwise two writers could deadlock.
    On SQLite the lock adds nothing, because a writing transaction locks the whole database when it begins.
    """
    locked = select(PROJECTS.c.key).where(PROJECTS.c.key == project_key).with_for_update()
    return connection.execute(locked).first() is not None


def apply_tasks(
    connection: Connection, project_key: str, tasks: Sequence[TaskState], at: float, settled: float = NEVER
) -> bool:
    """Merge tasks into the store; return True when the data of a task with annotations changed.

    ``at`` is the current time by the store's clock; ``settled`` is explained in the module's docstring.
    """
    changed: list[int] = []
    # The dict keeps the last entry of each id, which is the one that wins the merge.
    newest = {task.task_id: task for task in sorted(tasks, key=lambda task: (task.updated_us, _json(task.data)))}
    for part in chunks([newest[number] for number in sorted(newest)]):
        known = _rows(connection, TASKS, TASKS.c.task_id, project_key, [task.task_id for task in part])
        rows = []
        for task in part:
            before, data = known.get(task.task_id), _json(task.data)
            old = standing(before, task.updated_us, settled)
            if old is None or (not old["deleted"] and (task.updated_us, data) > (old["updated_us"], old["data"])):
                rows.append(_task_row(project_key, task.task_id, data, task.updated_us, False, at))
                if before is None or before["deleted"] or before["data"] != data:
                    changed.append(task.task_id)
        upsert(connection, TASKS, rows)
    return _any_labelled(connection, project_key, changed)


def delete_tasks(connection: Connection, project_key: str, ids: Sequence[int], at: float) -> bool:
    """Mark tasks as deleted, including tasks that the store has never seen: their creation event may arrive later.

    Returns True when a task with annotations was deleted. A repeated deletion only updates ``seen_at``.
    """
    changed: list[int] = []
    for part in chunks(sorted(set(ids))):
        known = _rows(connection, TASKS, TASKS.c.task_id, project_key, part)
        upsert(connection, TASKS, [_task_row(project_key, task_id, "{}", 0, True, at) for task_id in part])
        changed += [task_id for task_id in part if task_id not in known or not known[task_id]["deleted"]]
    return _any_labelled(connection, project_key, changed)


def apply_annotations(
    connection: Connection,
    project_key: str,
    annotations: Sequence[AnnotationState],
    at: float,
    settled: float = NEVER,
) -> int:
    """Merge annotations into the store; return how many of them changed the gold. Arguments as for ``apply_tasks``."""
    changed = 0
    # The same order as ``_order`` gives to rows: the last entry of each id wins the merge.
    in_order = sorted(annotations, key=lambda entry: (entry.updated_us, entry.content, entry.task_id))
    newest = {entry.annotation_id: entry for entry in in_order}
    for part in chunks([newest[number] for number in sorted(newest)]):
        ids = [entry.annotation_id for entry in part]
        known = _rows(connection, ANNOTATIONS, ANNOTATIONS.c.annotation_id, project_key, ids)
        rows = []
        for entry in part:
            before = known.get(entry.annotation_id)
            old = standing(before, entry.updated_us, settled)
            row = {
                **_annotation_row(project_key, entry.annotation_id, entry.task_id, entry.content, at),
                "updated_us": entry.updated_us,
                "lead_seconds": entry.lead_seconds,
            }
            if old is None or (not old["deleted"] and _order(row) > _order(old)):
                rows.append(row)
                changed += _gold(row) != _gold(before)
            # A database of an earlier release has no seconds.
            elif _order(row) == _order(old) and old["lead_seconds"] is None and entry.lead_seconds is not None:
                rows.append(row)
        upsert(connection, ANNOTATIONS, rows)
    return changed


def delete_annotations(connection: Connection, project_key: str, ids: Sequence[int], at: float) -> bool:
    """Mark annotations as deleted, including annotations that the store has never seen.

    Returns True when that changed the gold.
    """
    changed = False
    for part in chunks(sorted(set(ids))):
        known = _rows(connection, ANNOTATIONS, ANNOTATIONS.c.annotation_id, project_key, part)
        rows = []
        for annotation_id in part:
            old = known.get(annotation_id)
            task_id = old["task_id"] if old else 0
            rows.append({**_annotation_row(project_key, annotation_id, task_id, "", at), "deleted": True})
            changed = changed or _gold(old) is not None
        upsert(connection, ANNOTATIONS, rows)
    return changed


def standing(old: Mapping[str, Any] | None, listed_us: int, settled: float) -> Mapping[str, Any] | None:
    """Return the stored row that an incoming state is merged with; None where a list overrules the stored row.

    A list overrules a row that is settled (last seen at or before ``settled``) and is either deleted or newer than the
    listed stamp ``listed_us``.
    """
    if old is None or old["seen_at"] > settled:
        return old
    return None if old["deleted"] or listed_us < old["updated_us"] else old


def grow_gold_revision(connection: Connection, project_key: str) -> None:
    """Raise the revision of the project's gold, which makes a new training due, and reset the training's backoff."""
    connection.execute(
        update(PROJECTS)
        .where(PROJECTS.c.key == project_key)
        .values(gold_revision=PROJECTS.c.gold_revision + 1, attempts=0, retry_at=0.0)
    )


def chunks(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split entries into parts of at most CHUNK, in order."""
    for start in range(0, len(entries), CHUNK):
        yield entries[start : start + CHUNK]


def _rows(
    connection: Connection, table: Table, column: "Column[int]", project_key: str, ids: Sequence[int]
) -> dict[int, Mapping[str, Any]]:
    """Return the stored rows whose ``column`` is one of ``ids`` (not empty), by id."""
    query = select(table).where(table.c.project_key == project_key, among(column, ids))
    return {row[column.name]: dict(row) for row in connection.execute(query).mappings()}


def _any_labelled(connection: Connection, project_key: str, task_ids: Sequence[int]) -> bool:
    """Return whether one of these tasks has an annotation that is not deleted."""
    for part in chunks(sorted(task_ids)):
        query = select(ANNOTATIONS.c.annotation_id).where(
            ANNOTATIONS.c.project_key == project_key,
            among(ANNOTATIONS.c.task_id, part),
            ANNOTATIONS.c.deleted.is_(False),
        )
        if connection.execute(query.limit(1)).first():
            return True
    return False


def _gold(row: Mapping[str, Any] | None) -> tuple[int, str] | None:
    """Return what an annotation's row contributes to the gold; None when the annotation is deleted or skipped."""
    if row is None or row["deleted"] or is_cancelled(row["content"]):
        return None
    return row["task_id"], row["content"]


def _order(row: Mapping[str, Any]) -> tuple[int, str, int]:
    """Return the sort key of an annotation's row: of two rows for one annotation the greater one wins."""
    return row["updated_us"], row["content"], row["task_id"]


def _task_row(project_key: str, task_id: int, data: str, updated_us: int, deleted: bool, at: float) -> dict[str, Any]:
    return {
        "project_key": project_key,
        "task_id": task_id,
        "data": data,
        "updated_us": updated_us,
        "deleted": deleted,
        "seen_at": at,
    }


def _annotation_row(project_key: str, annotation_id: int, task_id: int, content: str, at: float) -> dict[str, Any]:
    return {
        "project_key": project_key,
        "annotation_id": annotation_id,
        "task_id": task_id,
        "content": content,
        "updated_us": 0,
        "deleted": False,
        "seen_at": at,
        "lead_seconds": None,
    }


def _json(data: Mapping[str, Any]) -> str:
    """Write task data as canonical JSON: equal data gives equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))

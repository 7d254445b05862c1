"""Applying what Label Studio said to the rows that hold it, so that the order and number of messages do not matter.

Each row joins what it holds with what comes: a deletion is final, otherwise the newer `updated_us` wins, and of two
contents with the same stamp the greater one. That join is commutative, associative and idempotent (a state-based CRDT,
Shapiro et al. 2011), hence doubled, late and shuffled events end in the same state.

Only Label Studio itself overrules that, when it was restored from a backup: it lists what was deleted (ids are given
out again), or older contents. Who applies what it lists says up to which instant what we hold is ``settled``, that is,
was heard of well before Label Studio was asked: there its list holds. Events settle nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, select, update

from store.changes import AnnotationState, TaskState, is_cancelled
from store.database import among, upsert
from store.tables import ANNOTATIONS, PROJECTS, TASKS

NEVER = 0.0  # before everything that was heard of
CHUNK = 500  # rows looked up by one statement; SQLite takes 32,766 parameters

T = TypeVar("T")


def lock_project(connection: Connection, project_key: str) -> None:
    """Let nobody else change this project until the transaction ends: what is read here is what will be written over.

    First of all locks on a project's rows, so that no two writers wait for each other. SQLite has it from the beginning
    of a transaction that writes.
    """
    connection.execute(select(PROJECTS.c.key).where(PROJECTS.c.key == project_key).with_for_update())


def apply_tasks(
    connection: Connection, project_key: str, tasks: Sequence[TaskState], at: float, settled: float = NEVER
) -> bool:
    """Join tasks into the store; True when that changed what a labelled task holds."""
    changed: list[int] = []
    newest = {task.task_id: task for task in sorted(tasks, key=_task_order)}
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
    """Tombstone tasks; True when one of them was labelled. Of a repeated deletion the last one's time counts."""
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
    """Join annotations into the store; how many of them changed the gold."""
    changed = 0
    newest = {entry.annotation_id: entry for entry in sorted(annotations, key=_annotation_order)}
    for part in chunks([newest[number] for number in sorted(newest)]):
        ids = [entry.annotation_id for entry in part]
        known = _rows(connection, ANNOTATIONS, ANNOTATIONS.c.annotation_id, project_key, ids)
        rows = []
        for entry in part:
            before = known.get(entry.annotation_id)
            old = standing(before, entry.updated_us, settled)
            row = _annotation_row(project_key, entry, at)
            if old is None or (not old["deleted"] and _order(row) > _order(old)):
                rows.append(row)
                changed += _gold(row) != _gold(before)
        upsert(connection, ANNOTATIONS, rows)
    return changed


def delete_annotations(connection: Connection, project_key: str, ids: Sequence[int], at: float) -> bool:
    """Tombstone annotations (also ones never seen: their creation may come later); True when that changed the gold."""
    changed = False
    for part in chunks(sorted(set(ids))):
        known = _rows(connection, ANNOTATIONS, ANNOTATIONS.c.annotation_id, project_key, part)
        rows = []
        for annotation_id in part:
            old = known.get(annotation_id)
            rows.append(_tombstone(project_key, annotation_id, old, at))
            changed = changed or _gold(old) is not None
        upsert(connection, ANNOTATIONS, rows)
    return changed


def standing(old: Mapping[str, Any] | None, listed_us: int, settled: float) -> Mapping[str, Any] | None:
    """What is known of an id; nothing where a list overrules it: it is settled, and deleted or newer than listed."""
    if old is None or old["seen_at"] > settled:
        return old
    return None if old["deleted"] or listed_us < old["updated_us"] else old


def grow_gold_revision(connection: Connection, project_key: str) -> None:
    """Say that the gold of a project changed: whoever trained on an older revision has work to do."""
    connection.execute(
        update(PROJECTS)
        .where(PROJECTS.c.key == project_key)
        .values(gold_revision=PROJECTS.c.gold_revision + 1, attempts=0, retry_at=0.0)
    )


def chunks(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(entries), CHUNK):
        yield entries[start : start + CHUNK]


def _rows(
    connection: Connection, table: Table, column: "Column[int]", project_key: str, ids: Sequence[int]
) -> dict[int, Mapping[str, Any]]:
    query = select(table).where(table.c.project_key == project_key, among(column, ids))
    return {row[column.name]: dict(row) for row in connection.execute(query).mappings()}


def _any_labelled(connection: Connection, project_key: str, task_ids: Sequence[int]) -> bool:
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
    """What a row contributes to the gold; None when it is deleted or skipped."""
    if row is None or row["deleted"] or is_cancelled(row["content"]):
        return None
    return row["task_id"], row["content"]


def _order(row: Mapping[str, Any]) -> tuple[int, str, int]:
    return row["updated_us"], row["content"], row["task_id"]


def _task_order(task: TaskState) -> tuple[int, str]:
    return task.updated_us, _json(task.data)


def _annotation_order(entry: AnnotationState) -> tuple[int, str, int]:
    return entry.updated_us, entry.content, entry.task_id


def _task_row(project_key: str, task_id: int, data: str, updated_us: int, deleted: bool, at: float) -> dict[str, Any]:
    return {
        "project_key": project_key,
        "task_id": task_id,
        "data": data,
        "updated_us": updated_us,
        "deleted": deleted,
        "seen_at": at,
    }


def _annotation_row(project_key: str, entry: AnnotationState, at: float) -> dict[str, Any]:
    return {
        "project_key": project_key,
        "annotation_id": entry.annotation_id,
        "task_id": entry.task_id,
        "content": entry.content,
        "updated_us": entry.updated_us,
        "deleted": False,
        "seen_at": at,
    }


def _tombstone(project_key: str, annotation_id: int, old: Mapping[str, Any] | None, at: float) -> dict[str, Any]:
    return {
        "project_key": project_key,
        "annotation_id": annotation_id,
        "task_id": old["task_id"] if old else 0,
        "content": "",
        "updated_us": 0,
        "deleted": True,
        "seen_at": at,
    }


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))

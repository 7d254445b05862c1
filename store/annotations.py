"""Annotations of a project as Label Studio described them last: the gold before it is read."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select

from store.changes import AnnotationState
from store.database import Database, among, now
from store.state import NEVER, apply_annotations, chunks, delete_annotations, grow_gold_revision, lock_project
from store.tables import ANNOTATIONS, TASKS
from store.values import iso_of, read_rows


class Annotations:
    """All annotations that are known and not deleted, of tasks that are known and not deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_project(self, project_key: str) -> dict[int, list[dict[str, Any]]]:
        """Task id → its annotations, oldest first: id, result, was_cancelled, ground_truth, updated_at, …"""
        query = (
            select(ANNOTATIONS)
            .join(
                TASKS, (TASKS.c.project_key == ANNOTATIONS.c.project_key) & (TASKS.c.task_id == ANNOTATIONS.c.task_id)
            )
            .where(ANNOTATIONS.c.project_key == project_key)
            .where(ANNOTATIONS.c.deleted.is_(False), TASKS.c.deleted.is_(False))
            .order_by(ANNOTATIONS.c.updated_us, ANNOTATIONS.c.annotation_id)
        )
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        with self._database.read() as connection:
            rows = {row.annotation_id: row for row in connection.execute(query)}
        for number, content in read_rows(((number, row.content) for number, row in rows.items()), "annotation"):
            dated = {"id": number, "updated_at": iso_of(rows[number].updated_us)}
            found[rows[number].task_id].append({**dated, **content})
        return dict(found)

    def apply(self, project_key: str, annotations: Sequence[AnnotationState], *, settled: float = NEVER) -> int:
        """Join what the API says; how many of them changed the gold (their events were missed).

        It overrules what was heard of by ``settled`` (`Store.now`, well before the API was asked), deletions too.
        """
        with self._database.write() as connection:
            lock_project(connection, project_key)
            changed = apply_annotations(connection, project_key, annotations, now(connection), settled)
            if changed:
                grow_gold_revision(connection, project_key)
        return changed

    def heard_of(self, project_key: str, tasks: Sequence[int]) -> dict[int, float]:
        """Id of each annotation of these tasks that exists as far as we know → when we heard of it (`Store.now`)."""
        found: dict[int, float] = {}
        with self._database.read() as connection:
            for part in chunks(tasks):
                query = select(ANNOTATIONS.c.annotation_id, ANNOTATIONS.c.seen_at).where(
                    ANNOTATIONS.c.project_key == project_key,
                    among(ANNOTATIONS.c.task_id, part),
                    ANNOTATIONS.c.deleted.is_(False),
                )
                found |= {row.annotation_id: row.seen_at for row in connection.execute(query)}
        return found

    def delete(self, project_key: str, ids: Collection[int]) -> bool:
        """Tombstone annotations that Label Studio no longer has; True when that changed the gold."""
        with self._database.write() as connection:
            lock_project(connection, project_key)
            changed = delete_annotations(connection, project_key, list(ids), now(connection))
            if changed:
                grow_gold_revision(connection, project_key)
        return changed

"""The annotations of a project in their newest known state, from which gold is read."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, select

from store.changes import SKIPPED, AnnotationState
from store.database import Database, among, now
from store.state import NEVER, apply_annotations, chunks, delete_annotations, grow_gold_revision, lock_project
from store.tables import ANNOTATIONS, TASKS
from store.values import iso_of, read_rows


class Annotations:
    """The table of annotations; its methods return only annotations that are not deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_project(self, project_key: str, tasks: Collection[int] | None = None) -> dict[int, list[dict[str, Any]]]:
        """Return the annotations of each task that is not deleted, or of these tasks, by task id, oldest first.

        An annotation is an object with id, updated_at, lead_time, result, was_cancelled, ground_truth and so on.
        """
        query = (
            select(ANNOTATIONS)
            .join(
                TASKS, (TASKS.c.project_key == ANNOTATIONS.c.project_key) & (TASKS.c.task_id == ANNOTATIONS.c.task_id)
            )
            .where(ANNOTATIONS.c.project_key == project_key)
            .where(ANNOTATIONS.c.deleted.is_(False), TASKS.c.deleted.is_(False))
            .order_by(ANNOTATIONS.c.updated_us, ANNOTATIONS.c.annotation_id)
        )
        parts = (
            [query]
            if tasks is None
            else [query.where(among(ANNOTATIONS.c.task_id, part)) for part in chunks(sorted(tasks))]
        )
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        with self._database.read() as connection:
            rows = {row.annotation_id: row for part in parts for row in connection.execute(part)}
        for number, content in read_rows(((number, row.content) for number, row in rows.items()), "annotation"):
            row = rows[number]
            dated = {"id": number, "updated_at": iso_of(row.updated_us), "lead_time": row.lead_seconds}
            found[rows[number].task_id].append({**dated, **content})
        return dict(found)

    def task_ids(self, project_key: str) -> set[int]:
        """Return the ids of the tasks that have an annotation, a skipped one too."""
        query = select(ANNOTATIONS.c.task_id).distinct()
        own = query.where(ANNOTATIONS.c.project_key == project_key, ANNOTATIONS.c.deleted.is_(False))
        with self._database.read() as connection:
            return set(connection.execute(own).scalars())

    def labelled(self, project_key: str) -> set[int]:
        """Return the ids of the tasks that have an annotation that was not skipped. No annotation is parsed."""
        content = ANNOTATIONS.c.content
        # How a skipped one ends (`store.changes.is_cancelled`); both databases count from 1.
        end = func.substr(content, func.length(content) - len(SKIPPED) + 1)
        own = (ANNOTATIONS.c.project_key == project_key) & ANNOTATIONS.c.deleted.is_(False)
        with self._database.read() as connection:
            return set(
                connection.execute(select(ANNOTATIONS.c.task_id).where(own, end != SKIPPED).distinct()).scalars()
            )

    def apply(self, project_key: str, annotations: Sequence[AnnotationState], *, settled: float = NEVER) -> int:
        """Merge annotations that the API listed; return how many of them changed the gold (their events were missed).

        With ``settled`` (a `Store.now` well before the API was requested) the list overrules rows last seen by then,
        deleted rows too; see store/state.py.
        """
        # Most pages of a reconcile have none: then no lock is taken that others wait for.
        if not annotations:
            return 0
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return 0
            changed = apply_annotations(connection, project_key, annotations, now(connection), settled)
            if changed:
                grow_gold_revision(connection, project_key)
        return changed

    def heard_of(self, project_key: str, tasks: Sequence[int]) -> dict[int, float]:
        """Return when each annotation of these tasks was last seen (by `Store.now`), by id."""
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
        """Mark annotations as deleted that Label Studio no longer has; return True when that changed the gold."""
        with self._database.write() as connection:
            is_known = lock_project(connection, project_key)
            changed = is_known and delete_annotations(connection, project_key, list(ids), now(connection))
            if changed:
                grow_gold_revision(connection, project_key)
        return changed

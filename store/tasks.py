"""Tasks of a project as Label Studio described them last."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from store.changes import TaskState, is_id, tasks_of
from store.database import Database, among, now
from store.state import NEVER, apply_tasks, chunks, delete_tasks, grow_gold_revision, lock_project, standing
from store.tables import TASKS
from store.values import read_rows

BULK = 1_000  # rows of one transaction: the journal waits for no more than that


@dataclass(frozen=True)
class Task:
    """One task that exists. `data` is Label Studio's task data."""

    id: int
    data: Mapping[str, Any]
    updated_us: int

    def payload(self) -> dict[str, Any]:
        """In the shape of Label Studio's task object."""
        return {"id": self.id, "data": dict(self.data)}


class Tasks:
    """All tasks that are known and not deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert(self, project_key: str, tasks: Sequence[Mapping[str, Any]], *, settled: float = NEVER) -> None:
        """Learn tasks from Label Studio's task objects (those of /predict too); older descriptions change nothing.

        Tasks without a usable id are left out. Writes only what is new, in short transactions. What the API lists
        overrules what was heard of by ``settled`` (`Store.now`, well before the API was asked), deletions too.
        """
        states = tasks_of(task for task in tasks if is_id(task.get("id")))
        fresh = self._fresh(project_key, states, settled)
        for start in range(0, len(fresh), BULK):
            with self._database.write() as connection:
                lock_project(connection, project_key)
                if apply_tasks(connection, project_key, fresh[start : start + BULK], now(connection), settled):
                    grow_gold_revision(connection, project_key)

    def all(self, project_key: str) -> list[Task]:
        """Every task, by id."""
        query = select(TASKS).where(TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False))
        with self._database.read() as connection:
            rows = {row.task_id: row for row in connection.execute(query.order_by(TASKS.c.task_id))}
        read = read_rows(((number, row.data) for number, row in rows.items()), "task")
        return [Task(number, data, rows[number].updated_us) for number, data in read]

    def count(self, project_key: str) -> int:
        query = select(func.count()).where(TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False))
        with self._database.read() as connection:
            return int(connection.execute(query.select_from(TASKS)).scalar_one())

    def heard_of(self, project_key: str, after: int, upto: int) -> dict[int, float]:
        """Id of each task in (after, upto] that exists as far as we know → when we heard of it last (`Store.now`)."""
        query = select(TASKS.c.task_id, TASKS.c.seen_at).where(
            TASKS.c.project_key == project_key,
            TASKS.c.task_id > after,
            TASKS.c.task_id <= upto,
            TASKS.c.deleted.is_(False),
        )
        with self._database.read() as connection:
            return {row.task_id: row.seen_at for row in connection.execute(query)}

    def delete(self, project_key: str, ids: Collection[int]) -> bool:
        """Tombstone tasks that Label Studio no longer has; True when one of them was labelled."""
        with self._database.write() as connection:
            lock_project(connection, project_key)
            changed = delete_tasks(connection, project_key, list(ids), now(connection))
            if changed:
                grow_gold_revision(connection, project_key)
        return changed

    def _fresh(self, project_key: str, tasks: Sequence[TaskState], settled: float) -> list[TaskState]:
        known: dict[int, Mapping[str, Any]] = {}
        with self._database.read() as connection:
            for part in chunks(sorted(task.task_id for task in tasks)):
                query = select(TASKS.c.task_id, TASKS.c.updated_us, TASKS.c.deleted, TASKS.c.seen_at).where(
                    TASKS.c.project_key == project_key, among(TASKS.c.task_id, part)
                )
                known |= {row["task_id"]: dict(row) for row in connection.execute(query).mappings()}
        olds = [standing(known.get(task.task_id), task.updated_us, settled) for task in tasks]
        return [
            task for task, old in zip(tasks, olds, strict=True) if old is None or old["updated_us"] < task.updated_us
        ]

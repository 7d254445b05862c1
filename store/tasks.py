"""The tasks of a project in their newest known state."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from store.changes import TaskState
from store.database import Database, among, now
from store.state import NEVER, apply_tasks, chunks, delete_tasks, grow_gold_revision, lock_project, standing
from store.tables import TASKS
from store.values import read_rows

BULK = 1_000  # rows of one transaction, which bounds how long the journal waits for it


@dataclass(frozen=True)
class Task:
    """One task that is not deleted. ``data`` is Label Studio's task data."""

    id: int
    data: Mapping[str, Any]
    updated_us: int

    def payload(self) -> dict[str, Any]:
        """Return the task in the shape of Label Studio's task object."""
        return {"id": self.id, "data": dict(self.data)}


class Tasks:
    """The table of tasks; its methods return only tasks that are not deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert(self, project_key: str, states: Sequence[TaskState], *, settled: float = NEVER) -> None:
        """Merge states of tasks, from /predict or the API, into the store; older states change nothing.

        Only new states are written, in short transactions. With ``settled`` (a `Store.now` well before the API was
        requested) the API's list overrules rows last seen by then, deleted rows too; see store/state.py.
        """
        known: dict[int, Mapping[str, Any]] = {}
        # Read first: most calls bring nothing new, and then no transaction that writes is needed.
        with self._database.read() as connection:
            for part in chunks(sorted(task.task_id for task in states)):
                query = select(TASKS.c.task_id, TASKS.c.updated_us, TASKS.c.deleted, TASKS.c.seen_at).where(
                    TASKS.c.project_key == project_key, among(TASKS.c.task_id, part)
                )
                known |= {row["task_id"]: dict(row) for row in connection.execute(query).mappings()}
        fresh = []
        for task in states:
            old = standing(known.get(task.task_id), task.updated_us, settled)
            if old is None or old["updated_us"] < task.updated_us:
                fresh.append(task)
        for start in range(0, len(fresh), BULK):
            with self._database.write() as connection:
                is_known = lock_project(connection, project_key)
                bulk = fresh[start : start + BULK]
                if is_known and apply_tasks(connection, project_key, bulk, now(connection), settled):
                    grow_gold_revision(connection, project_key)

    def all(self, project_key: str) -> list[Task]:
        """Return all tasks of a project, in the order of ids."""
        query = select(TASKS).where(TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False))
        with self._database.read() as connection:
            rows = {row.task_id: row for row in connection.execute(query.order_by(TASKS.c.task_id))}
        read = read_rows(((number, row.data) for number, row in rows.items()), "task")
        return [Task(number, data, rows[number].updated_us) for number, data in read]

    def page(self, project_key: str, after: int, most: int) -> list[Task]:
        """Return the next tasks with ids above ``after``, in the order of ids; none after the last."""
        query = select(TASKS).where(
            TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False), TASKS.c.task_id > after
        )
        with self._database.read() as connection:
            rows = {row.task_id: row for row in connection.execute(query.order_by(TASKS.c.task_id).limit(most))}
        read = read_rows(((number, row.data) for number, row in rows.items()), "task")
        return [Task(number, data, rows[number].updated_us) for number, data in read]

    def some(self, project_key: str, ids: Collection[int]) -> dict[int, Task]:
        """Return those of these tasks that there are, by id."""
        query = select(TASKS).where(TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False))
        with self._database.read() as connection:
            rows = {
                row.task_id: row
                for part in chunks(sorted(ids))
                for row in connection.execute(query.where(among(TASKS.c.task_id, part)))
            }
        read = read_rows(((number, row.data) for number, row in rows.items()), "task")
        return {number: Task(number, data, rows[number].updated_us) for number, data in read}

    def dates(self, project_key: str, after: int, most: int) -> dict[int, int]:
        """Return when the next tasks with ids above ``after`` were updated, in microseconds, by id, in their order.

        A changed task has another date. Their data is not read.
        """
        query = select(TASKS.c.task_id, TASKS.c.updated_us).where(
            TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False), TASKS.c.task_id > after
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(TASKS.c.task_id).limit(most))
            return dict(rows.all())

    def ids(self, project_key: str) -> list[int]:
        """Return the ids of all tasks of a project, in their order."""
        query = select(TASKS.c.task_id).where(TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False))
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(TASKS.c.task_id)).scalars())

    def count(self, project_key: str, *, upto: int | None = None) -> int:
        """Return the number of tasks, or of those with ids up to ``upto``."""
        query = select(func.count()).where(TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False))
        if upto is not None:
            query = query.where(TASKS.c.task_id <= upto)
        with self._database.read() as connection:
            return int(connection.execute(query.select_from(TASKS)).scalar_one())

    def counts(self) -> dict[str, int]:
        """Return the number of tasks of each project that has some, by project key."""
        query = select(TASKS.c.project_key, func.count()).where(TASKS.c.deleted.is_(False))
        with self._database.read() as connection:
            return {key: int(count) for key, count in connection.execute(query.group_by(TASKS.c.project_key))}

    def heard_of(self, project_key: str, after: int, upto: int) -> dict[int, float]:
        """Return when each task with an id in (after, upto] was last seen (by `Store.now`), by id."""
        query = select(TASKS.c.task_id, TASKS.c.seen_at).where(
            TASKS.c.project_key == project_key,
            TASKS.c.task_id > after,
            TASKS.c.task_id <= upto,
            TASKS.c.deleted.is_(False),
        )
        with self._database.read() as connection:
            return {row.task_id: row.seen_at for row in connection.execute(query)}

    def delete(self, project_key: str, ids: Collection[int]) -> bool:
        """Mark tasks as deleted that Label Studio no longer has; return True when one of them has annotations."""
        with self._database.write() as connection:
            is_known = lock_project(connection, project_key)
            changed = is_known and delete_tasks(connection, project_key, list(ids), now(connection))
            if changed:
                grow_gold_revision(connection, project_key)
        return changed

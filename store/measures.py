"""Amounts that jobs measure, added up over all workers and kept: work horses live for seconds, on several machines.

The rows belong to no project and no machine, so their number stays small: one for each name with its label values.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from store.database import Database, insert_missing, now
from store.state import lock_project
from store.tables import MEASURES, PROJECTS, RUNNING_JOBS


class Amount(NamedTuple):
    """The name of what is measured, and the values of its labels in their order."""

    name: str
    labels: tuple[str, ...] = ()


class Waiting(NamedTuple):
    """A project: how many changes of its gold trainings have used, how many none yet, whether the last one failed."""

    project_key: str
    trained: int
    behind: int
    has_failed: bool


class Measures:
    """The tables of amounts and of running jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, amounts: Mapping[Amount, float]) -> None:
        """Add to the kept amounts, in one transaction."""
        if amounts:
            with self._database.write() as connection:
                _add(connection, amounts)

    def begin_job(self, kind: str, project_key: str, killed: Amount) -> bool:
        """Note that a job begins; return whether the one before it never ended, which counts as one of ``killed``.

        The caller holds the lease of this kind and project, so an older note is of a job whose process died.
        """
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return False
            row = {"project_key": project_key, "kind": kind, "began_at": now(connection)}
            has_died = not insert_missing(connection, RUNNING_JOBS, row)
            if has_died:
                _add(connection, {killed: 1.0})
            return has_died

    def end_job(self, kind: str, project_key: str, amounts: Mapping[Amount, float]) -> None:
        """Note that a job has ended, and add what it has measured, in one transaction."""
        own = (RUNNING_JOBS.c.project_key == project_key) & (RUNNING_JOBS.c.kind == kind)
        with self._database.write() as connection:
            connection.execute(delete(RUNNING_JOBS).where(own))
            _add(connection, amounts)

    def all(self) -> dict[Amount, float]:
        """Return all kept amounts."""
        with self._database.read() as connection:
            rows = connection.execute(select(MEASURES)).all()
        return {Amount(row.name, tuple(json.loads(row.labels))): row.amount for row in rows}

    def waiting(self, connection_name: str, most: int) -> list[Waiting]:
        """Return the projects of one Label Studio that are not gone, at most so many, those that wait longest first."""
        table = PROJECTS.c
        behind = table.gold_revision - table.trained_revision
        query = (
            select(table.key, table.trained_revision, behind.label("behind"), table.failure)
            .where(table.key.startswith(f"{connection_name}/", autoescape=True), table.gone_at == 0)
            .order_by(behind.desc(), table.key)
            .limit(most)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Waiting(key, trained, count, bool(failure)) for key, trained, count, failure in rows]


def _add(connection: Connection, amounts: Mapping[Amount, float]) -> None:
    """Add amounts. The rows are written in one order, so that two writers can't deadlock."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(MEASURES)
    grown = {"amount": MEASURES.c.amount + statement.excluded.amount}
    rows: Iterable[tuple[Amount, float]] = sorted(amounts.items())
    values = [{"name": one.name, "labels": json.dumps(one.labels), "amount": amount} for one, amount in rows]
    if values:
        connection.execute(statement.on_conflict_do_update(index_elements=["name", "labels"], set_=grown), values)

"""Versions whose stored predictions a person has removed from Label Studio, or wants removed."""

from dataclasses import dataclass

from sqlalchemy import select, update

from store.database import Database, now, over, upsert
from store.state import lock_project
from store.tables import PREDICTION_REMOVALS

# The longest wait for another attempt, in seconds.
LONGEST_S = 7200.0


@dataclass(frozen=True)
class PredictionRemoval:
    """A removal: who asked for it and when, and when it was done (0: not yet).

    ``removed`` predictions are gone, ``kept`` stay because annotations were made from them.
    """

    version: str
    person: str
    at: float
    due_at: float
    done_at: float
    removed: int
    kept: int


class PredictionRemovals:
    """The table of removals, at most one for each version of a project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, project_key: str, version: str, person: str) -> None:
        """Record that the predictions of a version are to be removed, once more if they were removed before."""
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return
            at = now(connection)
            row = {"project_key": project_key, "version": version, "person": person, "at": at, "due_at": at}
            upsert(connection, PREDICTION_REMOVALS, [{**row, "done_at": 0.0, "removed": 0, "kept": 0}])

    def all(self, project_key: str) -> dict[str, PredictionRemoval]:
        """Return the removals of a project by version."""
        columns = [PREDICTION_REMOVALS.c[name] for name in PredictionRemoval.__dataclass_fields__]
        query = select(*columns).where(PREDICTION_REMOVALS.c.project_key == project_key)
        with self._database.read() as connection:
            return {row.version: PredictionRemoval(*row) for row in connection.execute(query)}

    def due(self) -> list[str]:
        """Return the keys of projects with a removal that is due."""
        table = PREDICTION_REMOVALS
        with self._database.read() as connection:
            waiting = (table.c.done_at == 0) & over(table.c.due_at, now(connection), LONGEST_S)
            query = select(table.c.project_key).where(waiting).distinct().order_by(table.c.project_key)
            return list(connection.execute(query).scalars())

    def progress(self, project_key: str, version: str, *, removed: int, kept: int, again_s: float | None) -> None:
        """Record so many further removed predictions, and how many stay.

        The rest is due again after ``again_s`` seconds; None says that nothing is left to do.
        """
        table = PREDICTION_REMOVALS
        mine = (table.c.project_key == project_key) & (table.c.version == version)
        with self._database.write() as connection:
            at = now(connection)
            values = {"removed": table.c.removed + removed, "kept": kept}
            wait = {"done_at": at} if again_s is None else {"due_at": at + again_s}
            connection.execute(update(table).where(mine).values({**values, **wait}))

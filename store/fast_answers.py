"""Fast answers: predictions given before the task's picture was encoded, at most one per task and version.

Label Studio treats ``<version>+fast`` as a separate version. Therefore it requests the full prediction when the task
comes up next in the label stream. In Quick View it does not request a prediction again; for that case the worker
replaces the fast answer with the full prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_, update

from store.database import Database, among, insert_missing, now, over
from store.state import chunks, lock_project
from store.tables import FAST_ANSWERS

SUFFIX = "+fast"
FIRST_LOOK_S = 5.0  # seconds until a fast answer is due; Label Studio needs a moment to store it
LONGEST_S = 600.0  # the longest time until a postponed answer is due again


@dataclass(frozen=True)
class FastAnswer:
    """One task's fast answer under ``version`` (without the suffix), given at a unix second."""

    task_id: int
    version: str
    given_at: float


class FastAnswers:
    """All fast answers of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, project_key: str, version: str, task_ids: Sequence[int]) -> set[int]:
        """Record fast answers; return the tasks that had none under this version before.

        Nothing is recorded for a project that is not in the store.
        """
        wanted = set(task_ids)
        if not wanted:
            return wanted
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return wanted
            for part in chunks(sorted(wanted)):
                query = select(FAST_ANSWERS.c.task_id).where(
                    FAST_ANSWERS.c.project_key == project_key,
                    FAST_ANSWERS.c.version == version,
                    among(FAST_ANSWERS.c.task_id, part),
                )
                wanted -= set(connection.execute(query).scalars())
            at = now(connection)
            fixed = {"project_key": project_key, "version": version, "given_at": at, "settled": False}
            rows = [{**fixed, "task_id": task_id, "due_at": at + FIRST_LOOK_S} for task_id in sorted(wanted)]
            # On PostgreSQL writers do not wait for each other, so another backend may have inserted a row meanwhile.
            return {
                task_id
                for task_id, row in zip(sorted(wanted), rows, strict=True)
                if insert_missing(connection, FAST_ANSWERS, row)
            }

    def due(self, project_key: str) -> list[FastAnswer]:
        """Return the fast answers that are to be replaced now, in the order of task ids."""
        columns = (FAST_ANSWERS.c.task_id, FAST_ANSWERS.c.version, FAST_ANSWERS.c.given_at)
        with self._database.read() as connection:
            query = select(*columns).where(
                FAST_ANSWERS.c.project_key == project_key,
                FAST_ANSWERS.c.settled.is_(False),
                over(FAST_ANSWERS.c.due_at, now(connection), LONGEST_S),
            )
            return [FastAnswer(*row) for row in connection.execute(query.order_by(FAST_ANSWERS.c.task_id))]

    def projects_due(self) -> list[str]:
        """Return the keys of projects with fast answers that are to be replaced now."""
        with self._database.read() as connection:
            query = select(FAST_ANSWERS.c.project_key).where(
                FAST_ANSWERS.c.settled.is_(False), over(FAST_ANSWERS.c.due_at, now(connection), LONGEST_S)
            )
            return list(connection.execute(query.distinct().order_by(FAST_ANSWERS.c.project_key)).scalars())

    def settle(self, project_key: str, answers: Sequence[FastAnswer]) -> None:
        """Record that these fast answers need no further replacement."""
        self._set(project_key, answers, settled=True)

    def postpone(self, project_key: str, answers: Sequence[FastAnswer], seconds: float) -> None:
        """Make these fast answers due again after ``seconds``."""
        with self._database.read() as connection:
            due_at = now(connection) + seconds
        self._set(project_key, answers, due_at=due_at)

    def _set(self, project_key: str, answers: Sequence[FastAnswer], **values: object) -> None:
        named = tuple_(FAST_ANSWERS.c.task_id, FAST_ANSWERS.c.version)
        for part in chunks([(answer.task_id, answer.version) for answer in answers]):
            where = (FAST_ANSWERS.c.project_key == project_key) & named.in_(part)
            with self._database.write() as connection:
                connection.execute(update(FAST_ANSWERS).where(where).values(**values))

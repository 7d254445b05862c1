"""Answers given before a picture was read: each task gets one at most under a version, and it is replaced later.

Label Studio takes ``<version>+fast`` for a version of its own, so it asks again for the whole answer when the task is
next in the label stream. Quick view never asks again: there the worker puts the whole prediction in place of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_, update

from store.database import Database, among, insert_missing, now, over
from store.state import chunks
from store.tables import FAST_ANSWERS

SUFFIX = "+fast"
FIRST_LOOK_S = 5.0  # Label Studio needs a moment to store what it was answered
LONGEST_S = 600.0  # no answer is looked at again later


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
        """Those of these tasks that have had no fast answer under the version; from now on they have had it."""
        wanted = set(task_ids)
        if not wanted:
            return wanted
        with self._database.write() as connection:
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
            # Where writers do not wait for each other (PostgreSQL), another backend may have been faster meanwhile.
            return {
                task_id
                for task_id, row in zip(sorted(wanted), rows, strict=True)
                if insert_missing(connection, FAST_ANSWERS, row)
            }

    def due(self, project_key: str) -> list[FastAnswer]:
        """Those that are to be replaced now, by task."""
        columns = (FAST_ANSWERS.c.task_id, FAST_ANSWERS.c.version, FAST_ANSWERS.c.given_at)
        with self._database.read() as connection:
            query = select(*columns).where(
                FAST_ANSWERS.c.project_key == project_key,
                FAST_ANSWERS.c.settled.is_(False),
                over(FAST_ANSWERS.c.due_at, now(connection), LONGEST_S),
            )
            return [FastAnswer(*row) for row in connection.execute(query.order_by(FAST_ANSWERS.c.task_id))]

    def projects_due(self) -> list[str]:
        """Keys of projects with fast answers that are to be replaced now."""
        with self._database.read() as connection:
            query = select(FAST_ANSWERS.c.project_key).where(
                FAST_ANSWERS.c.settled.is_(False), over(FAST_ANSWERS.c.due_at, now(connection), LONGEST_S)
            )
            return list(connection.execute(query.distinct().order_by(FAST_ANSWERS.c.project_key)).scalars())

    def settle(self, project_key: str, answers: Sequence[FastAnswer]) -> None:
        """These are done with."""
        self._set(project_key, answers, settled=True)

    def postpone(self, project_key: str, answers: Sequence[FastAnswer], seconds: float) -> None:
        """Look at these again after some seconds."""
        with self._database.read() as connection:
            due_at = now(connection) + seconds
        self._set(project_key, answers, due_at=due_at)

    def _set(self, project_key: str, answers: Sequence[FastAnswer], **values: object) -> None:
        named = tuple_(FAST_ANSWERS.c.task_id, FAST_ANSWERS.c.version)
        for part in chunks([(answer.task_id, answer.version) for answer in answers]):
            where = (FAST_ANSWERS.c.project_key == project_key) & named.in_(part)
            with self._database.write() as connection:
                connection.execute(update(FAST_ANSWERS).where(where).values(**values))

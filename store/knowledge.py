"""What gold and people teach of a shop: lines by project, learned ones and those that people said.

The store knows neither the meaning of a line nor which one wins: `model.knowledge` does.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from store.database import Database, upsert
from store.leases import Lease, verify
from store.state import grow_gold_revision, lock_project
from store.tables import KNOWLEDGE

LEARNED, CONTRADICTIONS, SAID = "learned", "contradictions", "said"

Lines = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class KnowledgeLines:
    """The lines of one project: each begins with relation, subject and object, as `worker.knowledge` writes them."""

    learned: Lines = ()
    contradictions: Lines = ()
    said: Lines = ()


class KnowledgeTable:
    """The table of knowledge. What a training learned and what people said are replaced apart from each other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, project_key: str) -> KnowledgeLines:
        """Return the lines of a project; none for one about which nothing is known yet."""
        query = select(KNOWLEDGE.c.part, KNOWLEDGE.c.content).where(KNOWLEDGE.c.project_key == project_key)
        with self._database.read() as connection:
            parts = {row.part: json.loads(row.content) for row in connection.execute(query)}
        return KnowledgeLines(parts.get(LEARNED, ()), parts.get(CONTRADICTIONS, ()), parts.get(SAID, ()))

    def learn(self, project_key: str, learned: Lines, contradictions: Lines, lease: Lease) -> None:
        """Replace what a training learned. Raises LeaseLost if another holder has taken the training's lease."""
        with self._database.write() as connection:
            verify(connection, lease)
            if lock_project(connection, project_key):
                _put(connection, project_key, {LEARNED: learned, CONTRADICTIONS: contradictions})

    def say(self, project_key: str, said: Lines, *, is_used: bool) -> bool:
        """Replace what people said; return whether the project is in the store.

        If trainings use it, one becomes due.
        """
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return False
            _put(connection, project_key, {SAID: said})
            if is_used:
                grow_gold_revision(connection, project_key)
            return True


def _put(connection: Connection, project_key: str, parts: dict[str, Lines]) -> None:
    rows = [
        {"project_key": project_key, "part": part, "content": json.dumps(lines, ensure_ascii=False)}
        for part, lines in parts.items()
    ]
    upsert(connection, KNOWLEDGE, rows)

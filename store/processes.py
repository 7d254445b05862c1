"""The processes that work on this database, with those of their settings that all of them must share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select

from store.database import Database, is_over, now, upsert
from store.tables import PROCESSES

FRESH_S = 20.0  # seconds after which an unchanged row is written again
KEPT_S = 24 * 3600.0  # seconds that the row of a process stays after its last sign of life

BACKEND, WORKER = "backend", "worker"


@dataclass(frozen=True)
class Process:
    """A process, its role, its settings by variable as they may be shown, and when it last gave a sign of life."""

    name: str
    role: str
    settings: Mapping[str, str]
    seen_at: float


class Processes:
    """The table of processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, name: str, role: str, settings: Mapping[str, str]) -> bool:
        """Record a sign of life of a process; return whether the process, or one of its settings, is new."""
        text = json.dumps(dict(settings), ensure_ascii=False, sort_keys=True)
        with self._database.read() as connection:
            row = connection.execute(select(PROCESSES).where(PROCESSES.c.name == name)).first()
            is_new = row is None or row.settings != text
            if row is not None and not is_new and not is_over(now(connection), row.seen_at + FRESH_S, FRESH_S):
                return False
        with self._database.write() as connection:
            at = now(connection)
            upsert(connection, PROCESSES, [{"name": name, "role": role, "settings": text, "seen_at": at}])
            connection.execute(delete(PROCESSES).where(PROCESSES.c.seen_at < at - KEPT_S))
        return is_new

    def forget(self, name: str) -> None:
        """Delete the row of a process that ends."""
        with self._database.write() as connection:
            connection.execute(delete(PROCESSES).where(PROCESSES.c.name == name))

    def of_role(self, role: str, within: float = KEPT_S) -> list[Process]:
        """Return the processes of a role that gave a sign of life in the last ``within`` seconds, by name."""
        with self._database.read() as connection:
            query = select(PROCESSES).where(PROCESSES.c.role == role, PROCESSES.c.seen_at >= now(connection) - within)
            rows = connection.execute(query.order_by(PROCESSES.c.name)).all()
        return [Process(row.name, row.role, json.loads(row.settings), row.seen_at) for row in rows]

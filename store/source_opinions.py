"""What sources that others wrote have said of items, and when a project's items are to be shown to them next.

An opinion is computed once for each item of a project and version of a source. Its row is replaced when the source's
version or the project's labels change.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update

from store.database import Database, now, over, upsert
from store.projects import LONGEST_BACKOFF_S
from store.state import chunks, lock_project
from store.tables import PROJECTS, SOURCE_OPINIONS, SOURCE_ROUNDS, SOURCES

FIRST_PAUSE_S = 60.0  # seconds until a source that does not answer is asked again; each round without answer doubles it

_OWN = SOURCE_OPINIONS.c


@dataclass(frozen=True)
class Saying:
    """What one source said of one item, as JSON: its opinion on labels, and boxes. Both are empty for an abstention."""

    item_key: str
    source: str
    version: str
    labels: str
    said: Mapping[str, Any]


class SourceOpinions:
    """The table of opinions, and the times of the next rounds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, project_key: str, sayings: Sequence[Saying]) -> None:
        """Keep what sources said. Nothing is kept for a project that is not in the store."""
        rows = [
            {
                "project_key": project_key,
                "item_key": one.item_key,
                "source": one.source,
                "version": one.version,
                "labels": one.labels,
                "said": json.dumps(one.said, ensure_ascii=False, sort_keys=True),
            }
            for one in sayings
        ]
        if not rows:
            return
        with self._database.write() as connection:
            if lock_project(connection, project_key):
                upsert(connection, SOURCE_OPINIONS, rows)

    def asked(self, project_key: str, source: str, version: str, labels: str) -> set[str]:
        """Return the keys of the items of which this version of a source was asked for these labels."""
        query = select(_OWN.item_key).where(_OWN.project_key == project_key, _OWN.source == source)
        query = query.where(_OWN.version == version, _OWN.labels == labels)
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def said(self, project_key: str, item_keys: Collection[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """Return what the sources that there are now said of items: item key → source → `Saying.said`.

        Abstentions, and what earlier versions of a source said, are left out.
        """
        present = (SOURCES.c.name == _OWN.source) & (SOURCES.c.version == _OWN.version)
        query = select(_OWN.item_key, _OWN.source, _OWN.said).join(SOURCES, present)
        found: dict[str, dict[str, dict[str, Any]]] = {}
        with self._database.read() as connection:
            for part in chunks(sorted(set(item_keys))):
                rows = query.where(_OWN.project_key == project_key, _OWN.item_key.in_(part))
                for row in connection.execute(rows):
                    if said := json.loads(row.said):
                        found.setdefault(row.item_key, {})[row.source] = said
        return found

    def counts(self, project_key: str) -> dict[str, int]:
        """Return of how many items of a project each source was asked, by the source's name."""
        query = select(_OWN.source, _OWN.said).where(_OWN.project_key == project_key)
        found: dict[str, int] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                found[row.source] = found.get(row.source, 0) + (row.said != "{}")
        return found

    def make_due(self, project_key: str = "") -> None:
        """Make a round due now, in one project or in all."""
        query = select(PROJECTS.c.key).where(PROJECTS.c.key == project_key if project_key else PROJECTS.c.gone_at == 0)
        with self._database.write() as connection:
            at = now(connection)
            keys = connection.execute(query).scalars().all()
            upsert(connection, SOURCE_ROUNDS, [{"project_key": key, "due_at": at, "pause": 0.0} for key in keys])

    def finish_round(self, project_key: str, *, again: bool, has_answered: bool = True, least: float = 0.0) -> None:
        """Record that a round is over; with ``again`` another one is due after a pause of at least ``least`` seconds.

        The pause doubles with each round in which no source that still has items to answer has answered any.
        """
        table = SOURCE_ROUNDS
        mine = table.c.project_key == project_key
        with self._database.write() as connection:
            if not again:
                connection.execute(delete(table).where(mine))
                return
            before = connection.execute(select(table.c.pause).where(mine)).scalar() or 0.0
            pause = FIRST_PAUSE_S if has_answered else max(FIRST_PAUSE_S, 2 * before)
            pause = min(LONGEST_BACKOFF_S, max(pause, least))
            values = {"due_at": now(connection) + pause, "pause": pause}
            connection.execute(update(table).where(mine).values(values))

    def due(self) -> list[str]:
        """Return the keys of projects whose items are to be shown to the sources now."""
        table = SOURCE_ROUNDS
        there = (PROJECTS.c.key == table.c.project_key) & (PROJECTS.c.gone_at == 0)
        with self._database.read() as connection:
            is_due = over(table.c.due_at, now(connection), LONGEST_BACKOFF_S)
            query = select(table.c.project_key).join(PROJECTS, there).where(is_due)
            return list(connection.execute(query.order_by(table.c.project_key)).scalars())

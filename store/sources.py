"""The sources that others wrote: which there are, what went wrong with them, and what they have cost."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from store.database import Database, insert_missing, is_over, now
from store.tables import SOURCE_NOTES, SOURCES

GONE = ""  # the version of a source that is not there any more; its costs are kept
LONGEST_WAIT_S = 3600.0  # no source waits longer for its next request


@dataclass(frozen=True)
class Spent:
    """What a source has cost since it was first used: requests, tokens of both directions, and money."""

    requests: int = 0
    tokens: int = 0
    money: float = 0.0


@dataclass(frozen=True)
class Noted:
    """A source as the last worker found it.

    ``about`` says in words where it comes from, and for one with a budget also what it may cost. ``troubles`` maps each
    kind of trouble to what was said when it last happened; ``times`` to how often it happened.
    """

    name: str
    version: str
    about: Mapping[str, str]
    spent: Spent
    troubles: Mapping[str, str]
    times: Mapping[str, int]


class Sources:
    """The tables of sources, of their troubles, and of what they have cost."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note_all(self, found: Mapping[str, tuple[str, Mapping[str, str]]], broken: Collection[str] = ()) -> None:
        """Record the sources that there are now, by name: version and ``Noted.about``; ``broken`` cannot be loaded.

        A source that is not among them is silent from now on. Troubles of a source that has gone, or whose version has
        changed, are forgotten, because they may be mended.
        """
        with self._database.read() as connection:
            known = {row.name: row for row in connection.execute(select(SOURCES))}
            troubled = set(connection.execute(select(SOURCE_NOTES.c.source)).scalars())
        wanted = {
            name: (version, json.dumps(dict(about), ensure_ascii=False)) for name, (version, about) in found.items()
        }
        wanted |= {name: (GONE, row.about) for name, row in known.items() if name not in found}
        mended = troubled - {*found, *broken}
        if {name: (row.version, row.about) for name, row in known.items()} == wanted and not mended:
            return
        table = SOURCES
        with self._database.write() as connection:
            for name, (version, about) in sorted(wanted.items()):
                row = {"name": name, "version": version, "about": about}
                fresh = {**row, "requests": 0, "tokens": 0, "money": 0.0, "next_at": 0.0}
                if not insert_missing(connection, table, fresh):
                    connection.execute(update(table).where(table.c.name == name).values(row))
                if name not in known or known[name].version != version:
                    mended.add(name)
            connection.execute(delete(SOURCE_NOTES).where(SOURCE_NOTES.c.source.in_(mended - set(broken))))

    def versions(self) -> dict[str, str]:
        """Return the version of each source that there is now, by name."""
        query = select(SOURCES.c.name, SOURCES.c.version).where(SOURCES.c.version != GONE)
        with self._database.read() as connection:
            return {row.name: row.version for row in connection.execute(query.order_by(SOURCES.c.name))}

    def all(self) -> list[Noted]:
        """Return the sources that there are now, and those that could not be loaded, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(SOURCES).order_by(SOURCES.c.name)).all()
            notes = connection.execute(select(SOURCE_NOTES).order_by(SOURCE_NOTES.c.source, SOURCE_NOTES.c.kind)).all()
        troubles: dict[str, dict[str, str]] = {}
        times: dict[str, dict[str, int]] = {}
        for note in notes:
            troubles.setdefault(note.source, {})[note.kind] = note.text
            times.setdefault(note.source, {})[note.kind] = note.times
        known = {row.name: row for row in rows if row.version != GONE}
        found = []
        for name in sorted({*known, *troubles}):
            row = known.get(name)
            spent = Spent(row.requests, row.tokens, row.money) if row else Spent()
            about = json.loads(row.about) if row else {}
            version = row.version if row else GONE
            found.append(Noted(name, version, about, spent, troubles.get(name, {}), times.get(name, {})))
        return found

    def trouble(self, source: str, kind: str, text: str) -> bool:
        """Count a trouble with a source; return whether it is the first of its kind."""
        table = SOURCE_NOTES
        with self._database.write() as connection:
            row = {"source": source, "kind": kind, "text": text, "times": 1}
            if insert_missing(connection, table, row):
                return True
            own = (table.c.source == source) & (table.c.kind == kind)
            connection.execute(update(table).where(own).values(text=text, times=table.c.times + 1))
        return False

    def is_well(self, source: str, kind: str) -> bool:
        """Forget a trouble that is over, so that it is told when it comes back; return whether there was one."""
        table = SOURCE_NOTES
        own = (table.c.source == source) & (table.c.kind == kind)
        with self._database.read() as connection:
            if connection.execute(select(table.c.kind).where(own)).first() is None:
                return False
        with self._database.write() as connection:
            connection.execute(delete(table).where(own))
        return True

    def spent(self, source: str) -> Spent:
        """Return what a source has cost so far."""
        table = SOURCES
        query = select(table.c.requests, table.c.tokens, table.c.money).where(table.c.name == source)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return Spent(row.requests, row.tokens, row.money) if row else Spent()

    def reserve(self, source: str, pause: float, longest: float) -> float:
        """Count a request before it is sent, and return how many seconds it must wait.

        All workers together send one request each ``pause`` seconds. If the wait is more than ``longest`` seconds, the
        request is not counted, and must not be sent. A request that is counted and never sent, because its worker was
        killed, costs a request of the budget, never money.
        """
        table = SOURCES
        with self._database.write() as connection:
            query = select(table.c.next_at).where(table.c.name == source).with_for_update()
            next_at, at = connection.execute(query).scalar_one(), now(connection)
            wait = 0.0 if is_over(at, next_at, LONGEST_WAIT_S) else next_at - at
            if wait > longest:
                return float(wait)
            values = {"requests": table.c.requests + 1, "next_at": at + wait + pause}
            connection.execute(update(table).where(table.c.name == source).values(values))
        return float(wait)

    def rest(self, source: str, seconds: float) -> None:
        """Let no worker send a request for so many seconds, since the server asked for that."""
        table = SOURCES
        with self._database.write() as connection:
            values = {"next_at": now(connection) + min(seconds, LONGEST_WAIT_S)}
            connection.execute(update(table).where(table.c.name == source).values(values))

    def spend(self, source: str, tokens: int, money: float) -> None:
        """Add what a request has cost."""
        table = SOURCES
        values = {"tokens": table.c.tokens + tokens, "money": table.c.money + money}
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.name == source).values(values))

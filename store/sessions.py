"""The sessions of people who are signed in to the pages. A row opens none: it holds a hash of the session's id."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select

from store.database import Database, now
from store.tables import SESSIONS


@dataclass(frozen=True)
class SessionRow:
    """A session: the hash of its id, the Label Studio, the person's name there, and the person's token, encrypted."""

    hash: str
    connection: str
    person: str
    token: str


class Sessions:
    """The table of sessions. All backends of a database share it, and a restart ends no session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, row: SessionRow, seconds: float) -> None:
        """Store a session that lasts ``seconds``, and delete those that are over."""
        with self._database.write() as connection:
            at = now(connection)
            connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_at <= at))
            connection.execute(insert(SESSIONS).values(**asdict(row), expires_at=at + seconds))

    def get(self, hashed: str) -> SessionRow | None:
        """Return a session; None if there is none of this hash, or it is over."""
        query = select(*(SESSIONS.c[name] for name in SessionRow.__dataclass_fields__))
        with self._database.read() as connection:
            alive = (SESSIONS.c.hash == hashed) & (SESSIONS.c.expires_at > now(connection))
            row = connection.execute(query.where(alive)).first()
        return SessionRow(*row) if row else None

    def end(self, hashed: str) -> None:
        """Delete a session."""
        with self._database.write() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.hash == hashed))

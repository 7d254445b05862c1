"""One engine for SQLite (embedded default) or PostgreSQL (by URL), and the two kinds of transaction on it."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, event, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from store.tables import IDENTITY
from tagloom_base.errors import UserError

PATIENCE_S = 60.0  # of work that nobody waits for
LOCKED = ("55P03", "40P01", 5, 6)  # PostgreSQL: a lock not had in time, a deadlock; SQLite: a locked database
RESERVE_BYTES = 1_000_000
MIGRATION_LOCK = 0x7461676C  # any constant: PostgreSQL's advisory lock that lets one process migrate at a time


class Database:
    """Engine with its transactions. Threads may share it; a forked process opens its own.

    ``patience`` is how many seconds a transaction waits for another one's lock, unless it says otherwise; then it
    raises OperationalError, which `is_locked` tells from others.
    """

    def __init__(self, url: str, patience: float = PATIENCE_S) -> None:
        self.engine = _engine(url, patience)
        self._patience = patience
        self._hold_shared_memory()
        self._migrate()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent picture, never waits for writers."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """A transaction that may write; committed and durable when the block ends without an exception.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE): what it reads cannot change before it writes.
        """
        milliseconds = int(1000 * (self._patience if patience is None else patience))
        with self.engine.connect().execution_options(writes=milliseconds) as connection, connection.begin():
            yield connection

    def identity(self) -> str:
        """The random name of what is stored here; it stays when the database is moved."""
        with self.read() as connection:
            return str(connection.execute(select(IDENTITY.c.id)).scalar_one())

    def _hold_shared_memory(self) -> None:
        """Let SQLite be opened on a full disk too.

        Its first connection needs room for a small file of shared memory, though it only reads. A reserve is kept for
        that beside the database, given up where there is no other room, and made again at the next start.
        """
        if self.engine.dialect.name != "sqlite":
            return
        reserve = Path(f"{self.engine.url.database}-reserve")
        try:
            self.engine.connect().close()
        except DatabaseError:  # told by the migration, where it is more than room
            reserve.unlink(missing_ok=True)
            return
        if not reserve.exists():
            with suppress(OSError):
                reserve.write_bytes(bytes(RESERVE_BYTES))

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        head = ScriptDirectory.from_config(config).get_current_head()
        try:
            with self.read() as connection:
                if MigrationContext.configure(connection).get_current_revision() == head:
                    return
            with self.write() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DatabaseError as error:
            shown = self.engine.url.render_as_string(hide_password=True)
            raise UserError(
                f"The database {shown} cannot be opened ({error.orig}). Check TAGLOOM_DATABASE_URL."
            ) from error


def now(connection: Connection) -> float:
    """Unix seconds by the clock that all holders of leases share: the server's, or this machine's for SQLite."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    return time.time()


def is_locked(error: BaseException) -> TypeGuard[OperationalError]:
    """Whether a transaction failed only because another one held what it needed: it may be tried again."""
    if not isinstance(error, OperationalError):
        return False
    origin = error.orig
    code = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorcode", 0) & 0xFF
    return code in LOCKED


def is_over(at: float, until: float, longest: float) -> bool:
    """Whether a wait has ended. One that lies further ahead than ``longest`` was noted before the clock was set back.

    No wait is longer than it was meant to be, whatever happens to the clock.
    """
    return not at < until <= at + longest


def over(until: ColumnElement[float], at: float, longest: float) -> ColumnElement[bool]:
    """The same as `is_over`, of a column."""
    return (until <= at) | (until > at + longest)


def insert_missing(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless its primary key is there; True when it was inserted."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # Not by rowcount: the PostgreSQL driver does not tell it of such a statement.
    statement = insert(table).values(row).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return connection.execute(statement).first() is not None


def among(column: ColumnElement[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Whether a column is one of these ids, of which there is at least one.

    The range says nothing new. But PostgreSQL, whose plan for a list that is a parameter knows nothing of it, would go
    through all rows of a project for each part of a long list; a range it takes from the index.
    """
    return column.in_(ids) & column.between(min(ids), max(ids))


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or replace those with the same primary key. All rows have the same columns."""
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key.columns]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))


def _engine(url: str, patience: float) -> Engine:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UserError("TAGLOOM_DATABASE_URL is no URL; use sqlite:////folder/tagloom.db or postgresql://…") from error
    if address.get_backend_name() == "postgresql":
        try:
            engine = create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise UserError("PostgreSQL needs a driver: pip install 'tagloom[postgresql]'") from error
        event.listen(engine, "begin", partial(_begin_postgresql, int(1000 * patience)))
        return engine
    if address.get_backend_name() != "sqlite":
        raise UserError(f"TAGLOOM_DATABASE_URL names {address.get_backend_name()!r}; use sqlite:/// or postgresql://.")
    if not address.database or address.database == ":memory:":
        raise UserError("TAGLOOM_DATABASE_URL needs a file: sqlite:////folder/tagloom.db (workers share it).")
    folder = Path(address.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} can't be made ({error.strerror}): set TAGLOOM_HOME to a folder that may be written"
        ) from error
    engine = create_engine(address, connect_args={"timeout": patience})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes too late for savepoints and reads; _begin_sqlite sends ours.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_postgresql(patience: int, connection: Connection) -> None:
    # For this transaction alone: a pool between us and the server may give others the connection.
    milliseconds = connection.get_execution_options().get("writes", patience)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, milliseconds)}")


def _begin_sqlite(connection: Connection) -> None:
    milliseconds = connection.get_execution_options().get("writes")
    if milliseconds is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")

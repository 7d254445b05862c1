from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from store.database import Database
from store.tables import METADATA
from tagloom.errors import UserError


def test_migrations_make_the_tables(url: str) -> None:
    database = Database(url)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()


def test_many_may_open_a_new_database_at_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        for database in pool.map(lambda _: Database(url), range(8)):
            database.close()


def test_a_commit_is_on_the_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'tagloom.db'}")
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    database.close()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database, and long enough to be read as one" * 100)
    with pytest.raises(UserError, match="TAGLOOM_DATABASE_URL"):
        Database(f"sqlite:///{tmp_path / 'x.db'}")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "nonsense"])
def test_unfit_urls_name_the_setting(url: str) -> None:
    with pytest.raises(UserError, match="TAGLOOM_DATABASE_URL"):
        Database(url)

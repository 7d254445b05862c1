from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, insert, select
from sqlalchemy.exc import OperationalError

from store.database import Database, _prepare_sqlite, is_locked
from store.store import Store
from store.tables import LEASES, METADATA, PROJECTS
from tagloom_base.errors import UserError
from tests.databases import TEMPLATE, named, open_folder, shut
from tests.store.upgrades import make_old, turn_old

PREPARE = _prepare_sqlite  # that of the product: in tests, commits leave it to the system when they are on the disk


def test_migrations_make_the_tables(empty_url: str) -> None:
    database = Database(empty_url)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()


def test_many_may_open_a_new_database_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        for database in pool.map(lambda _: Database(empty_url), range(8)):
            database.close()


def test_a_commit_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.database._prepare_sqlite", PREPARE)
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


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="TAGLOOM_HOME"):
        Database(f"sqlite:///{tmp_path / 'file' / 'home' / 'tagloom.db'}")


def test_what_only_reads_makes_no_database_and_migrates_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'home' / 'tagloom.db'}"
    with pytest.raises(UserError, match=r"there is no database .*/home/tagloom\.db yet: set TAGLOOM_HOME"):
        Database(url, makes=False)
    assert list(tmp_path.iterdir()) == []
    url = f"sqlite:///{tmp_path / 'old.db'}"
    make_old(url, "0005")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match="is of another release: start `tagloom serve`"):
        Database(url, makes=False)
    assert {path.name for path in tmp_path.iterdir()} == before
    (tmp_path / "empty.db").touch()
    with pytest.raises(UserError, match="is empty: start `tagloom serve`"):
        Database(f"sqlite:///{tmp_path / 'empty.db'}", makes=False)
    Database(url).close()
    Database(url, makes=False).close()


def test_a_database_that_takes_writes_is_unchanged_by_the_question(url: str) -> None:
    database = Database(url)
    name = database.identity()
    database.require_writable()
    assert database.identity() == name
    database.close()


@pytest.mark.parametrize("what", ["tagloom.db", "."])
def test_a_database_that_cannot_be_written_is_told(what: str) -> None:
    with open_folder() as folder:
        url = f"sqlite:///{folder / 'tagloom.db'}"
        Database(url).close()
        # A folder that is shut keeps SQLite from making the files beside the database, which it needs to open it.
        with shut(folder / what), pytest.raises(UserError, match=r"can(no|')t be (written|opened) \(.*right"):
            ask(url)


def ask(url: str) -> None:
    database = Database(url)
    try:
        database.require_writable()
    finally:
        database.close()


def test_a_locked_database_is_not_taken_for_one_without_rights(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tagloom.db'}"
    holder, asker = Database(url), Database(url)
    with holder.write(), pytest.raises(OperationalError) as locked:
        asker.require_writable()
    assert is_locked(locked.value)
    holder.close()
    asker.close()


@pytest.mark.slow
def test_a_server_that_takes_no_writes_is_told(server: str) -> None:
    url = named(server, TEMPLATE)
    Database(url).close()
    database = Database(f"{url}{'&' if '?' in url else '?'}options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(UserError, match="can't be written"):
        database.require_writable()
    database.close()


def test_a_store_keeps_its_name_and_an_old_one_gets_one(tmp_path: Path) -> None:
    url, other = f"sqlite:///{tmp_path / 'old.db'}", Database(f"sqlite:///{tmp_path / 'other.db'}")
    old = Database(url)
    with old.write() as connection:
        connection.execute(insert(LEASES).values(name="a", holder="b", token=1, expires_at=2.0))
    old.close()
    turn_old(url, "0005")
    names = []
    for _ in range(2):
        database = Database(url)
        names.append(database.identity())
        with database.read() as connection:
            assert connection.execute(select(LEASES.c.holder)).scalar_one() == "b"
        database.close()
    assert names[0] == names[1] != other.identity()
    assert len(names[0]) == 32
    other.close()


def test_what_stood_in_texts_and_special_numbers_moves_into_columns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    make_old(url, "0008")
    engine = create_engine(url)
    waiting = {
        "project_key": "p", "number": 2, "version": "v2.aaaa", "parent": "", "folder": "p/v2.aaaa", "state": "accepted",
        "reason": "better by .02; waits 42 s, so that versions do not churn", "phase": "refine", "space": "s",
        "labels": "[]", "metrics": '{"macro_f1": 0.5, "generation": 3}', "gold_revision": 1, "gold_count": 1,
        "weak_count": 0, "created_at": 1000.0, "promoted_at": 0.0, "note": "",
    }  # fmt: skip
    asked = {"reconcile_asked_at": 5.0, "reconcile_not_before": 0.0}
    projects = {
        "urgent": {**asked, "reconciled_at": 4.0},
        "later": {**asked, "reconciled_at": 4.0, "reconcile_not_before": 9.0},
        "new": {**asked, "reconciled_at": 0.0},
    }
    others = {"title": "", "label_config": "", "config_us": 0, "gold_revision": 0, "trained_revision": 0}
    others |= {"next_number": 1, "attempts": 0, "retry_at": 0.0, "failure": "", "created_at": 0.0}
    with engine.begin() as connection:
        old = MetaData()
        old.reflect(connection)
        connection.execute(insert(old.tables["versions"]).values(waiting))
        for key, fields in projects.items():
            connection.execute(insert(old.tables["projects"]).values(key=key, **others, **fields))
    engine.dispose()
    store = Store.open(url)
    (version,) = store.versions.list("p")
    assert (version.judged_generation, version.due_at, version.reason) == (3, 1042.0, "better by .02")
    assert version.metrics == {"macro_f1": 0.5}
    with store._database.read() as connection:
        query = select(PROJECTS.c.key).where(PROJECTS.c.reconcile_urgent)
        assert connection.execute(query).scalars().all() == ["urgent"]
    store.close()

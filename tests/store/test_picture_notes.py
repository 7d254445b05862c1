"""Notes on pictures: counted by project, and told once."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from store.database import Database
from store.store import Store
from tests.store.upgrades import turn_old

KEY, OTHER = "default/2.1", "default/3.1"


@pytest.fixture(autouse=True)
def _projects(store: Store) -> None:
    for key in (KEY, OTHER):
        store.projects.ensure(key, "<View/>")


def test_notes_are_counted_by_project_and_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        store.picture_notes.add(KEY, {"too long": 2, "upside down": 1})
        store.picture_notes.add(KEY, {"too long": 3})
        store.picture_notes.add(OTHER, {"too long": 1})
    assert store.picture_notes.of(KEY) == {"too long": 5, "upside down": 1}
    assert store.picture_notes.of(OTHER) == {"too long": 1}
    assert store.picture_notes.of("default/4.1") == {}
    assert sorted(record.getMessage().split(" (")[0] for record in caplog.records) == [
        f"{KEY}: too long",
        f"{KEY}: upside down",
        f"{OTHER}: too long",
    ]


def test_of_many_processes_none_forgets_a_picture(url: str) -> None:
    stores = [Store.open(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: stores[number % 4].picture_notes.add(KEY, {"too long": 1}), range(40)))
    assert stores[0].picture_notes.of(KEY) == {"too long": 40}
    for each in stores:
        each.close()


def test_a_database_that_is_away_is_told_and_raises_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with store.picture_notes._database.write() as connection:
        connection.execute(text("DROP TABLE picture_notes"))
    store.picture_notes.add(KEY, {"too long": 1})
    assert "notes on pictures cannot be kept" in caplog.text


def test_an_old_database_gets_the_table(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    Database(url).close()
    turn_old(url, "0010")
    store = Store.open(url)
    store.projects.ensure(KEY, "<View/>")
    store.picture_notes.add(KEY, {"too long": 1})
    assert store.picture_notes.of(KEY) == {"too long": 1}
    store.close()

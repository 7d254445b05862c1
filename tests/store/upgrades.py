"""Databases as an earlier release left them."""

from unittest.mock import patch

from alembic import command
from sqlalchemy import MetaData, create_engine, insert, select, text

from store.database import Database


def make_old(url: str, revision: str) -> None:
    """Make a new, empty database as the release with this revision did."""
    upgrade = command.upgrade
    with patch.object(command, "upgrade", lambda config, _: upgrade(config, revision)):
        Database(url).close()


def turn_old(url: str, revision: str) -> None:
    """Rewrite a SQLite database in the form of the release with this revision: later columns and tables are gone."""
    engine = create_engine(url)
    today = MetaData()
    today.reflect(engine)
    with engine.begin() as connection:
        rows = {table.name: connection.execute(select(table)).mappings().all() for table in today.sorted_tables}
        for table in reversed(today.sorted_tables):
            connection.execute(text(f"DROP TABLE {table.name}"))
    make_old(url, revision)
    old = MetaData()
    old.reflect(engine)
    del rows["alembic_version"]
    with engine.begin() as connection:
        for table in old.sorted_tables:
            known = [{column: row[column] for column in row if column in table.c} for row in rows.get(table.name, ())]
            if known:
                connection.execute(insert(table), known)
    engine.dispose()

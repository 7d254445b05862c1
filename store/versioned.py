"""Tables that hold rows of several versions of a project: which versions these are, and how one's rows are deleted."""

from collections.abc import Collection, Iterator

from sqlalchemy import Table, delete, func, select

from store.database import Database, among
from store.leases import Lease, verify

BULK = 500  # rows of one transaction, so that other writers do not wait long


def delete_others(database: Database, table: Table, project_key: str, kept: Collection[str], lease: Lease) -> None:
    """Delete the rows of all versions but those that are ``kept``, in short transactions.

    The work is that of the rows that go: while SQLite's write lock is held, no row that stays is read. Raises LeaseLost
    if another holder has taken the lease.
    """
    for version in set(_versions(database, table, project_key)) - set(kept):
        own = (table.c.project_key == project_key) & (table.c.version == version)
        some = select(table.c.task_id).where(own).limit(BULK)
        while True:
            with database.write() as connection:
                verify(connection, lease)
                ids = set(connection.execute(some).scalars())
                if not ids:
                    break
                connection.execute(delete(table).where(own, among(table.c.task_id, ids)))


def _versions(database: Database, table: Table, project_key: str) -> Iterator[str]:
    """Yield the versions that the table has rows of; an index finds each, however many rows there are."""
    after = ""
    while True:
        query = select(func.min(table.c.version)).where(table.c.project_key == project_key, table.c.version > after)
        with database.read() as connection:
            found = connection.execute(query).scalar()
        if found is None:
            return
        yield (after := found)

"""Delete a project with everything that the tables hold of it; rows of other projects stay."""

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from store.database import Database
from store.leases import revoke
from store.tables import LEASES, METADATA, PROJECTS

# Found and not listed: a table that is added later belongs to them by itself.
_TABLES: dict[Table, ColumnElement[str]] = {
    table: table.c.project_key for table in METADATA.sorted_tables if "project_key" in table.c
}


class Removal:
    """Deletes projects. No row of a deleted project is written again, unless Label Studio mentions the project anew."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, project_key: str) -> dict[str, int]:
        """Return how many rows each table holds of the project, without tables that hold none."""
        with self._database.read() as connection:
            counted = {
                table.name: int(connection.execute(select(func.count()).where(column == project_key)).scalar_one())
                for table, column in {**_TABLES, PROJECTS: PROJECTS.c.key}.items()
            }
        return {name: count for name, count in counted.items() if count}

    def revoke(self, project_key: str, besides: str = "") -> None:
        """Take the project's leases away from all jobs, which end at their next check and write nothing under them.

        The lease named ``besides`` stays.
        """
        with self._database.write() as connection:
            _revoke_all(connection, project_key, besides)

    def remove(self, project_key: str, born: float) -> bool:
        """Delete all rows in one transaction; return False if the project is not the one that was made at ``born``.

        Its leases stay, without a holder: their tokens keep a job that still runs from writing if the project returns.
        """
        with self._database.write() as connection:
            # Leases first, then the project, as all writers do: two of them can't deadlock.
            _revoke_all(connection, project_key)
            made = select(PROJECTS.c.created_at).where(PROJECTS.c.key == project_key).with_for_update()
            if connection.execute(made).scalar() != born:
                return False
            for table, column in _TABLES.items():
                connection.execute(delete(table).where(column == project_key))
            connection.execute(delete(PROJECTS).where(PROJECTS.c.key == project_key))
            return True

    def drop_leases(self, project_key: str) -> None:
        """Delete the leases of a project that is not there any more; for when no job of it can run any longer."""
        with self._database.write() as connection:
            known = select(PROJECTS.c.key).where(PROJECTS.c.key == project_key)
            if connection.execute(known).first() is None:
                connection.execute(delete(LEASES).where(_is_leased(project_key)))


def _revoke_all(connection: Connection, project_key: str, besides: str = "") -> None:
    mine = _is_leased(project_key) & (LEASES.c.name != besides)
    query = select(LEASES.c.name).where(mine).order_by(LEASES.c.name).with_for_update()
    for name in connection.execute(query).scalars().all():
        revoke(connection, name)


def _is_leased(project_key: str) -> ColumnElement[bool]:
    """Return the condition that a lease is of this project, whatever the kind of work (`store.leases.lease_name`)."""
    return LEASES.c.name.endswith(f":{project_key}", autoescape=True)

"""What of a project's pictures was not shown or read as usual, and in how many pictures."""

import logging
from collections.abc import Mapping

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from store.database import Database, insert_missing
from store.state import lock_project
from store.tables import PICTURE_NOTES

LOG = logging.getLogger(__name__)


class PictureNotes:
    """Notes of all projects, each with the number of pictures that it was made of.

    A picture that is read again, because its features were lost, counts again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, project_key: str, pictures: Mapping[str, int]) -> None:
        """Count notes; log each that is the first of its kind in the project.

        Nothing is recorded for a project that is not in the store. Never raises: while the database is away, notes are
        lost, and nothing depends on them.
        """
        table = PICTURE_NOTES
        try:
            with self._database.write() as connection:
                if not lock_project(connection, project_key):
                    return
                for note, count in sorted(pictures.items()):
                    row = {"project_key": project_key, "note": note, "pictures": count}
                    if insert_missing(connection, table, row):
                        LOG.warning("%s: %s (said once; /status counts such pictures)", project_key, note)
                        continue
                    own = (table.c.project_key == project_key) & (table.c.note == note)
                    connection.execute(update(table).where(own).values(pictures=table.c.pictures + count))
        except SQLAlchemyError as error:
            LOG.error("%s: notes on pictures cannot be kept: %s", project_key, error)

    def of(self, project_key: str) -> dict[str, int]:
        """Return the number of a project's pictures by note."""
        table = PICTURE_NOTES
        query = select(table.c.note, table.c.pictures).where(table.c.project_key == project_key).order_by(table.c.note)
        with self._database.read() as connection:
            return {row.note: row.pictures for row in connection.execute(query)}

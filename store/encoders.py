"""The encoders of this home: those that are used where the settings say `auto`."""

from collections.abc import Mapping

from sqlalchemy import select

from store.database import Database, insert_missing, upsert
from store.tables import ENCODERS

# Seconds that a first choice waits for a lock; a backend that starts waits for it.
PATIENCE_S = 5.0


class Encoders:
    """The table of encoders: the name of each part's (``image``, ``text``), as the settings name it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept(self) -> dict[str, str]:
        """Return the kept names by part; a part is missing until one is kept for it."""
        with self._database.read() as connection:
            return {row.part: row.name for row in connection.execute(select(ENCODERS))}

    def keep(self, names: Mapping[str, str]) -> dict[str, str]:
        """Keep these names, and return what is kept: a part that has a name already keeps it."""
        with self._database.write(PATIENCE_S) as connection:
            for part, name in sorted(names.items()):
                insert_missing(connection, ENCODERS, {"part": part, "name": name})
        # A name that another process kept at the same moment is seen only after this one's transaction.
        return self.kept()

    def replace(self, names: Mapping[str, str]) -> None:
        """Keep these names in the place of those that are kept."""
        with self._database.write() as connection:
            upsert(connection, ENCODERS, [{"part": part, "name": name} for part, name in sorted(names.items())])

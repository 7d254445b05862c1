"""The store as one object."""

from store.annotations import Annotations
from store.database import PATIENCE_S, Database, now
from store.fast_answers import FastAnswers
from store.journal import Journal
from store.leases import Leases
from store.projects import Projects
from store.tasks import Tasks
from store.versions import Versions
from store.weak_labels import WeakLabelTable


class Store:
    """What Tagloom knows, by noun. Threads may share it; a forked process opens its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.journal = Journal(database)
        self.projects = Projects(database)
        self.tasks = Tasks(database)
        self.annotations = Annotations(database)
        self.weak_labels = WeakLabelTable(database)
        self.versions = Versions(database)
        self.leases = Leases(database)
        self.fast_answers = FastAnswers(database)

    @classmethod
    def open(cls, url: str, patience: float = PATIENCE_S) -> "Store":
        """The store at a SQLAlchemy URL (`Settings.database`), created or migrated when needed, else UserError.

        ``patience``: seconds that one write waits for another one's lock. The journal has its own.
        """
        return cls(Database(url, patience))

    def now(self) -> float:
        """Unix seconds by the clock that all stamps in the store are of."""
        with self._database.read() as connection:
            return now(connection)

    def close(self) -> None:
        """Commit what the journal still holds and close all connections."""
        self.journal.close()
        self._database.close()

"""The store: all tables of one database as one object."""

from store.annotations import Annotations
from store.answers import Answers
from store.batches import Batches
from store.database import PATIENCE_S, Database, now
from store.doubts import Doubts
from store.encoders import Encoders
from store.fast_answers import FastAnswers
from store.gallery import Gallery
from store.journal import Journal
from store.knowledge import KnowledgeTable
from store.leases import Leases
from store.measures import Measures
from store.picture_notes import PictureNotes
from store.pictures import UnreadPictures
from store.prediction_removals import PredictionRemovals
from store.processes import Processes
from store.projects import Projects
from store.removal import Removal
from store.screens import Screens
from store.sessions import Sessions
from store.source_opinions import SourceOpinions
from store.sources import Sources
from store.tasks import Tasks
from store.versions import Versions
from store.webhooks import Webhooks


class Store:
    """All stored data, one attribute per kind. Threads may share it; a forked process opens its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.journal = Journal(database)
        self.projects = Projects(database)
        self.tasks = Tasks(database)
        self.annotations = Annotations(database)
        self.versions = Versions(database)
        self.answers = Answers(database)
        self.gallery = Gallery(database)
        self.doubts = Doubts(database)
        self.leases = Leases(database)
        self.fast_answers = FastAnswers(database)
        self.picture_notes = PictureNotes(database)
        self.removal = Removal(database)
        self.pictures = UnreadPictures(database)
        self.processes = Processes(database)
        self.sources = Sources(database)
        self.source_opinions = SourceOpinions(database)
        self.encoders = Encoders(database)
        self.sessions = Sessions(database)
        self.measures = Measures(database)
        self.webhooks = Webhooks(database)
        self.batches = Batches(database)
        self.screens = Screens(database)
        self.prediction_removals = PredictionRemovals(database)
        self.knowledge = KnowledgeTable(database)

    @classmethod
    def open(cls, url: str, patience: float = PATIENCE_S, *, makes: bool = True) -> "Store":
        """Open the store at a SQLAlchemy URL (`Settings.database`); create or migrate its tables if it `makes` them.

        ``patience`` is the number of seconds that a write waits for a lock; the journal has its own limit. Raises
        UserError if the database cannot be opened, and unless it `makes` also if there is none of this release.
        """
        return cls(Database(url, patience, makes=makes))

    def identity(self) -> str:
        """Return the random id of the database."""
        return self._database.identity()

    def require_writable(self) -> None:
        """Raise UserError or OperationalError unless a row can be written: see `Database.require_writable`."""
        self._database.require_writable()

    def now(self) -> float:
        """Return unix seconds by the clock that gives all times in the store."""
        with self._database.read() as connection:
            return now(connection)

    def close(self) -> None:
        """Commit the journal's waiting events and close all connections."""
        self.journal.close()
        self._database.close()

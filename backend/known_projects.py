"""Read projects from the store, and from memory while the database is away."""

import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from labelstudio.kept import Kept
from store.projects import Project, Projects

LOG = structlog.stdlib.get_logger(__name__)

MOST = 10_000  # projects that are remembered
CHARACTERS = 20_000_000  # most characters of their labelling configs
# Seconds after which a project is read again, and for which answers may rely on it as it was read. What another process
# writes counts that much later.
RECENT_S, LATEST_S = 1.0, 5.0


class KnownProjects:
    """Reads projects, so that requests are answered also while the database restarts. Threads may share it."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        # Each project with the `time.monotonic` at which it was read.
        self._last: Kept[str, tuple[Project, float]] = Kept(MOST, CHARACTERS)
        self._away = False

    def recent(self, key: str) -> Project | None:
        """Return the project if it was read within the last LATEST_S, else None. Never waits."""
        known = self._last.get(key)
        return known[0] if known and time.monotonic() - known[1] < LATEST_S else None

    def is_due(self, key: str) -> bool:
        """Return whether a project should be read again, so that it stays recent."""
        known = self._last.get(key)
        return known is not None and time.monotonic() - known[1] >= RECENT_S

    def get(self, key: str) -> Project | None:
        """Return the project, or None when it is not in the store and no earlier call found it.

        While the database is away, the result is the project as it was last read.
        """
        try:
            known = self._projects.get(key)
        except SQLAlchemyError as error:
            if not self._away:
                LOG.error("the database is away; answering by what was known last", error=str(error))
            self._away = True
            last = self._last.get(key)
            return last[0] if last else None
        self._away = False
        if known is not None:
            self._last.put(key, (known, time.monotonic()), len(known.label_config))
        else:
            self._last.drop(key)
        return known

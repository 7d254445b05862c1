"""Follow CURRENT, the store's record of the version that serves each project: load it, check it, swap it in.

Each backend process reads the store by itself, so several processes need not talk to each other. A version that fails
its check is refused and reported, and the old one continues to serve.
"""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from backend.versions import RefusedVersionError, Served, Shelf, VersionLoader
from labelstudio.kept import Kept
from model.features.item import ItemFeatures
from store.store import Store
from tagloom_base import clock

LOG = structlog.stdlib.get_logger(__name__)

MOST = 10_000  # projects with a refused version that are remembered
LOOK_S = 0.3  # seconds between two looks at CURRENT; a look reads one row for each project
# Seconds until a refused version is tried again: somebody may have restored its checkpoint.
RETRY_SECONDS = 30.0


class Follower:
    """A thread that reads CURRENT every LOOK_S and brings the shelf of served versions up to date.

    ``canary`` returns the items that a project's new version has to answer before it serves; ``ahead`` lets the version
    answer the tasks that are probably next, then too. ``on_swap`` is called with a project and its new version,
    ``on_refusal`` with a project, a version and the reason.
    """

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        loader: VersionLoader,
        canary: Callable[[str], Sequence[ItemFeatures]],
        ahead: Callable[[str, Served], None],
        on_swap: Callable[[str, Served], None],
        on_refusal: Callable[[str, str, str], None],
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._loader = loader
        self._canary = canary
        self._ahead = ahead
        self._on_swap = on_swap
        self._on_refusal = on_refusal
        # Project → the refused generation, and the `clock.monotonic` from which it may be tried again.
        self._refused: Kept[str, tuple[int, float]] = Kept(MOST, MOST)
        self._stop = threading.Event()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Bring every project in memory to its CURRENT version, once."""
        # The shelf first: what is put there from now on is CURRENT already, and might be missed in the store.
        shown = self._shelf.all()
        current = self._store.versions.all_current()
        for project, served in shown.items():
            wanted = current.get(project)
            # A version that was CURRENT and is in no row: its project was forgotten. Were it kept, the generations of a
            # project that returns, which begin anew, would count as older.
            if wanted is None and served.generation:
                self._shelf.drop(project, served)
            if wanted is None or (wanted.generation, True) <= served.rank:
                continue
            refused, again = self._refused.get(project) or (-1, 0.0)
            if refused == wanted.generation and clock.monotonic() < again:
                continue
            began = time.monotonic()
            try:
                served = self._loader.load(wanted, self._canary(project))
            except RefusedVersionError as error:
                self._refused.put(project, (wanted.generation, clock.monotonic() + RETRY_SECONDS), 1)
                self._on_refusal(project, wanted.version, str(error))
                continue
            self._refused.drop(project)
            # It answers the next tasks before it serves: afterwards, requests would wait for that.
            self._ahead(project, served)
            self._shelf.put(project, served)
            seconds = round(time.monotonic() - began, 3)
            LOG.info("serving a new version", project=project, version=served.version, seconds=seconds)
            self._on_swap(project, served)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
                self._away = False
            except Exception as error:
                # The database cannot be read: the loaded versions continue to serve.
                if not self._away:
                    LOG.error("cannot look for new versions; serving what is loaded", error=repr(error))
                self._away = True

"""Follows CURRENT: a new version is loaded beside the served one, checked, and then one reference is swapped.

Each backend process follows the store by itself, so several need no word between them. A version that fails its check
is refused and reported; the old one serves on.
"""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from backend.versions import RefusedVersionError, Served, Shelf, VersionLoader
from labelstudio.kept import Kept
from model.features.item import ItemFeatures
from store.store import Store
from store.versions import Current

LOG = structlog.stdlib.get_logger(__name__)

MOST = 10_000  # projects with a refused version that are remembered
RETRY_SECONDS = 30.0  # a checkpoint that was refused may have been restored meanwhile


class Follower:
    """A thread that looks at CURRENT every ``seconds`` and brings the shelf up to date."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        loader: VersionLoader,
        canary: Callable[[str], Sequence[ItemFeatures]],
        seconds: float,
        on_swap: Callable[[str, Served], None],
        on_refusal: Callable[[str, str, str], None],
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._loader = loader
        self._canary = canary
        self._seconds = seconds
        self._on_swap = on_swap
        self._on_refusal = on_refusal
        # Project → the generation that was refused, and when it may be tried again.
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
        current = self._store.versions.all_current()
        for project, served in self._shelf.all().items():
            wanted = current.get(project)
            if wanted is not None and wanted.generation > served.generation and self._due(project, wanted):
                self._swap(project, wanted)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.look()
                self._away = False
            except Exception as error:  # the store is away: what is served serves on
                if not self._away:
                    LOG.error("cannot look for new versions; serving what is loaded", error=repr(error))
                self._away = True

    def _due(self, project: str, wanted: Current) -> bool:
        generation, again = self._refused.get(project) or (-1, 0.0)
        return generation != wanted.generation or time.monotonic() >= again

    def _swap(self, project: str, wanted: Current) -> None:
        began = time.monotonic()
        try:
            served = self._loader.load(wanted, self._canary(project))
        except RefusedVersionError as error:
            self._refused.put(project, (wanted.generation, time.monotonic() + RETRY_SECONDS), 1)
            self._on_refusal(project, wanted.version, str(error))
            return
        self._refused.drop(project)
        self._shelf.put(project, served)
        seconds = round(time.monotonic() - began, 3)
        LOG.info("serving a new version", project=project, version=served.version, seconds=seconds)
        self._on_swap(project, served)

"""Load versions, check them, and keep the served ones in memory for the projects used last.

One ``Served`` is one immutable version of one project. A request takes the reference once and uses it to the end, also
when a new version is swapped in meanwhile.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.inference import Predictor
from model import checkpoint
from model.features.item import ItemFeatures
from model.tagger import Tagger
from store.versions import Current


@dataclass(frozen=True)
class Served:
    """A version in memory.

    ``generation`` is the generation of CURRENT when the version was loaded. A fallback serves in place of a CURRENT
    version that could not be loaded.
    """

    tagger: Tagger
    version: str
    generation: int
    labels: tuple[str, ...]
    is_fallback: bool = False

    @property
    def rank(self) -> tuple[int, bool]:
        """The sort key of a project's versions: by generation, and within one CURRENT itself after its fallbacks."""
        return self.generation, not self.is_fallback


class RefusedVersionError(Exception):
    """Raised for a version that must not serve. The message says what is wrong with it."""


class VersionLoader:
    """Loads versions from the folder of checkpoints, for features of one space."""

    def __init__(self, folder: Path, space: str) -> None:
        self._folder = folder
        self._space = space

    def load(self, current: Current, canary: Sequence[ItemFeatures]) -> Served:
        """Load and check a version. ``canary`` holds the items that it must answer.

        Raises RefusedVersionError when hash, labels or space are wrong, or the canary is not answered well.
        """
        try:
            tagger = checkpoint.load(self._folder / current.folder, space=self._space)
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            raise RefusedVersionError(str(error)) from error
        if tagger.version != current.version or tagger.labels != current.labels:
            raise RefusedVersionError(f"the folder {current.folder} holds {tagger.version}, not {current.version}")
        check_answers(tagger, tagger.labels, canary)
        return Served(tagger, current.version, current.generation, tagger.labels)


def check_answers(tagger: Predictor, labels: Sequence[str], canary: Sequence[ItemFeatures]) -> None:
    """Let a version answer the canary items before it serves. Raises RefusedVersionError for wrong answers."""
    try:
        answers = tagger.predict(canary)
    except Exception as error:
        raise RefusedVersionError(f"it fails on the canary batch: {error!r}") from error
    if len(answers) != len(canary):
        raise RefusedVersionError(f"it gives {len(answers)} answers to {len(canary)} items")
    for answer in answers:
        numbers = [answer.score, *answer.probabilities.values(), *(box.score for box in answer.boxes)]
        if set(answer.probabilities) != set(labels):
            raise RefusedVersionError("its answers have other labels than its manifest")
        if not all(math.isfinite(number) and 0 <= number <= 1 for number in numbers):
            raise RefusedVersionError("its answers hold numbers outside [0, 1]")


class Shelf:
    """The served version of each project in memory. Threads may share it.

    Beyond ``capacity`` the least recently used versions are dropped.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._served: OrderedDict[str, Served] = OrderedDict()
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, project: str, load: Callable[[], Served]) -> Served:
        """Return the project's version. If it is not in memory, call ``load``, in one thread at a time per project."""
        served = self.peek(project)
        if served is not None:
            return served
        with self._lock:
            loading = self._loading.setdefault(project, threading.Lock())
        with loading:
            # Another thread may have loaded it while this one waited.
            served = self.peek(project)
            if served is None:
                try:
                    served = load()
                    self.put(project, served)
                finally:
                    with self._lock:
                        self._loading.pop(project, None)
            return served

    def peek(self, project: str) -> Served | None:
        """Return the project's version if it is in memory, else None."""
        with self._lock:
            served = self._served.get(project)
            if served is not None:
                self._served.move_to_end(project)
            return served

    def put(self, project: str, served: Served) -> None:
        """Serve this version from now on. An older generation never replaces a newer one."""
        with self._lock:
            known = self._served.get(project)
            if known is None or known.rank <= served.rank:
                self._served[project] = served
            self._served.move_to_end(project)
            while len(self._served) > self._capacity:
                self._served.popitem(last=False)

    def drop(self, project: str, served: Served) -> None:
        """Take a version from memory, unless another one serves the project by now."""
        with self._lock:
            if self._served.get(project) is served:
                del self._served[project]

    def all(self) -> dict[str, Served]:
        """Return a copy: project → its version in memory."""
        with self._lock:
            return dict(self._served)

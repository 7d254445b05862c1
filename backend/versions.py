"""Versions that serve: loaded, checked, and kept for the projects used last.

One ``Served`` is one immutable version of one project. A request takes the reference once and ends on it, whatever is
swapped in meanwhile.
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
    """A version in memory. ``generation`` is CURRENT's when it was loaded; a lower one where CURRENT could not be."""

    tagger: Tagger
    version: str
    generation: int
    labels: tuple[str, ...]


class RefusedVersionError(Exception):
    """A version that must not serve; the message says what is wrong with it."""


class VersionLoader:
    """Loads versions from the folder of checkpoints, for features of one space."""

    def __init__(self, folder: Path, space: str) -> None:
        self._folder = folder
        self._space = space

    def load(self, current: Current, canary: Sequence[ItemFeatures]) -> Served:
        """The version, once hash, labels and space are right and the canary is answered; else RefusedVersionError."""
        try:
            tagger = checkpoint.load(self._folder / current.folder, space=self._space)
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            raise RefusedVersionError(str(error)) from error
        if tagger.version != current.version or tagger.labels != current.labels:
            raise RefusedVersionError(f"the folder {current.folder} holds {tagger.version}, not {current.version}")
        check_answers(tagger, tagger.labels, canary)
        return Served(tagger, current.version, current.generation, tagger.labels)


def check_answers(tagger: Predictor, labels: Sequence[str], canary: Sequence[ItemFeatures]) -> None:
    """Ask a version for the canary batch before anybody depends on it. Raises RefusedVersionError."""
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
    """The served version of each project in memory; beyond ``capacity`` the least recently used leave."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._served: OrderedDict[str, Served] = OrderedDict()
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, project: str, load: Callable[[], Served]) -> Served:
        """The project's version; ``load`` runs at most once at a time for it when it is not in memory."""
        served = self.peek(project)
        if served is not None:
            return served
        with self._lock:
            loading = self._loading.setdefault(project, threading.Lock())
        with loading:
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
        with self._lock:
            served = self._served.get(project)
            if served is not None:
                self._served.move_to_end(project)
            return served

    def put(self, project: str, served: Served) -> None:
        """Serve this version from now on. An older generation never replaces a newer one."""
        with self._lock:
            known = self._served.get(project)
            if known is None or known.generation <= served.generation:
                self._served[project] = served
            self._served.move_to_end(project)
            while len(self._served) > self._capacity:
                self._served.popitem(last=False)

    def all(self) -> dict[str, Served]:
        with self._lock:
            return dict(self._served)

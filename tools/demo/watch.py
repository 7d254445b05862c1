"""How far the training behind a backend is, as far as one can see from here."""

from dataclasses import dataclass
from typing import Protocol

from store.leases import lease_name
from store.store import Store
from store.versions import State, Version


@dataclass(frozen=True)
class Progress:
    """What is known of the training on some gold.

    ``ended``: nothing more will come of it; None when that can't be seen. ``busy``: a training is at work.
    ``fresh``: the versions trained on all of that gold; None when that can't be seen. ``note``: why what serves did
    not change.
    """

    ended: bool | None = None
    busy: bool = False
    serving: str | None = None
    fresh: frozenset[str] | None = None
    note: str = ""


class Watch(Protocol):
    """Sees the training of one project."""

    def revision(self) -> int:
        """A number that grows with the gold."""

    def progress(self, revision: int) -> Progress:
        """How far the training on the gold of that revision is."""


class Outside:
    """Sees nothing but what Label Studio sees: for a backend that was not started by the demo."""

    def revision(self) -> int:
        return 0

    def progress(self, revision: int) -> Progress:
        return Progress()


class Inside:
    """Reads the store of the services that the demo started. ``key`` is the project's as /setup carries it."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._end = f"/{key}"
        self._found = ""

    def revision(self) -> int:
        project = self._store.projects.get(self._key())
        return project.gold_revision if project else 0

    def progress(self, revision: int) -> Progress:
        project = self._store.projects.get(self._key())
        if project is None:
            return Progress(ended=False)
        current = self._store.versions.current(project.key)
        versions = [one for one in self._store.versions.list(project.key) if one.gold_revision >= revision]
        return Progress(
            ended=project.trained_revision >= revision,
            busy=self._store.leases.held(lease_name("train", project.key)),
            serving=current.version if current else None,
            fresh=frozenset(one.version for one in versions if one.promoted_at),
            note=project.failure or _verdict(versions),
        )

    def _key(self) -> str:
        """The store's key: the connection's name stands before Label Studio's."""
        if not self._found:
            self._found = next((one.key for one in self._store.projects.all() if one.key.endswith(self._end)), "")
        return self._found


def _verdict(versions: list[Version]) -> str:
    """What the gate said of the newest version."""
    return next((one.reason for one in versions if one.state in (State.REFUSED, State.ACCEPTED)), "")

"""Observe the training behind a backend, as far as that is possible from outside."""

from dataclasses import dataclass
from typing import Protocol

from store.leases import lease_name
from store.store import Store
from store.versions import State


@dataclass(frozen=True)
class Progress:
    """What is known of the training on some gold.

    ``ended`` says that it will produce no further version, ``busy`` that a training is running. ``fresh`` holds the
    versions that were trained on all of the gold. ``ended`` and ``fresh`` are None when they cannot be observed.
    ``note`` says why the served version has not changed.
    """

    ended: bool | None = None
    busy: bool = False
    serving: str | None = None
    fresh: frozenset[str] | None = None
    note: str = ""


class Watch(Protocol):
    """Observes the training of one project."""

    def revision(self) -> int:
        """Return a number that grows with the gold."""

    def progress(self, revision: int) -> Progress:
        """Return the progress of the training on the gold of this revision."""


class Outside:
    """Observes only what Label Studio can observe, for a backend that the demo did not start."""

    def revision(self) -> int:
        return 0

    def progress(self, revision: int) -> Progress:
        return Progress()


class Inside:
    """Reads the store of the services that the demo started. ``key`` is the project's key as in /setup."""

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
        # States whose ``reason`` is that of the decision about promotion.
        judged = (State.REFUSED, State.ACCEPTED)
        return Progress(
            ended=project.trained_revision >= revision,
            busy=self._store.leases.held(lease_name("train", project.key)),
            serving=current.version if current else None,
            fresh=frozenset(one.version for one in versions if one.promoted_at),
            note=project.failure or next((one.reason for one in versions if one.state in judged), ""),
        )

    def _key(self) -> str:
        """Return the project's key in the store, which has the connection's name in front."""
        if not self._found:
            self._found = next((one.key for one in self._store.projects.all() if one.key.endswith(self._end)), "")
        return self._found

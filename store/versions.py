"""Versions of each project's model, and CURRENT: the one that serves.

A version's number grows per project and is never used again. CURRENT is one row a project with a generation that grows
with every change, so that whoever follows it sees each change, rollbacks too.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from store.database import Database, insert_missing, now
from store.leases import Lease, lease_name, revoke, verify
from store.state import grow_gold_revision
from store.tables import CURRENT, PROJECTS, VERSIONS

COLD_START = "cold start"
"""The phase of a version that no gold has gone into."""


class State(StrEnum):
    """What became of a version."""

    CANDIDATE = "candidate"  # its checkpoint is written, the gate has not spoken
    ACCEPTED = "accepted"  # passed the gate, waits for the minimum time between promotions
    CURRENT = "current"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    PRUNED = "pruned"  # its folder is deleted


class Conflict(Exception):  # noqa: N818 - the field's word
    """CURRENT changed since the caller looked: decide anew."""


@dataclass(frozen=True)
class NewVersion:
    """A checkpoint that is written and has a reserved number. `folder` is relative to the folder of checkpoints.

    `judged_generation` is the generation of CURRENT that the candidate was judged against; 0 for a cold start.
    """

    number: int
    version: str
    parent: str
    folder: str
    phase: str
    space: str
    labels: tuple[str, ...]
    metrics: Mapping[str, Any]
    gold_revision: int
    gold_count: int
    weak_count: int
    judged_generation: int = 0


@dataclass(frozen=True)
class Version(NewVersion):
    """A version with what became of it.

    `promoted_at` is 0 when it never served, `due_at` the time at which an accepted version may be promoted. `note`
    warns of it: what was found out later. Empty: nothing.
    """

    state: State = State.CANDIDATE
    reason: str = ""
    created_at: float = 0.0
    promoted_at: float = 0.0
    due_at: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Current:
    """The version that serves. `folder` is relative to the folder of checkpoints."""

    version: str
    folder: str
    generation: int
    number: int
    space: str
    labels: tuple[str, ...]
    since: float
    is_cold_start: bool = False
    note: str = ""


class Versions:
    """All versions of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, project_key: str) -> Current | None:
        """The version that serves a project; None before its cold start."""
        with self._database.read() as connection:
            return _current(connection, project_key)

    def all_current(self) -> dict[str, Current]:
        """Project key → the version that serves it."""
        with self._database.read() as connection:
            rows = connection.execute(_CURRENT_QUERY).all()
        return {row.project_key: _as_current(row) for row in rows}

    def with_accepted(self) -> Sequence[str]:
        """Keys of projects that have a version which waits for its promotion."""
        query = select(VERSIONS.c.project_key).where(VERSIONS.c.state == str(State.ACCEPTED)).distinct()
        with self._database.read() as connection:
            return connection.execute(query).scalars().all()

    def list(self, project_key: str) -> list[Version]:
        """Newest first."""
        query = select(VERSIONS).where(VERSIONS.c.project_key == project_key).order_by(VERSIONS.c.number.desc())
        with self._database.read() as connection:
            return [_version(row) for row in connection.execute(query)]

    def reserve(self, project_key: str) -> int:
        """A number for the next version. It stays used even when nothing comes of it."""
        with self._database.write() as connection:
            query = select(PROJECTS.c.next_number).where(PROJECTS.c.key == project_key).with_for_update()
            number = int(connection.execute(query).scalar_one())
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == project_key).values(next_number=number + 1))
        return number

    def install(self, project_key: str, version: NewVersion, *, generation: int) -> Current:
        """Make a cold start CURRENT if CURRENT is still of this generation (0: there is none yet).

        When somebody else was faster, theirs is returned and ours is forgotten.
        """
        with self._database.write() as connection:
            found = _current(connection, project_key)
            if (found.generation if found else 0) != generation:
                return _present(found)
            at = now(connection)
            if not insert_missing(connection, VERSIONS, _row(project_key, version, State.CANDIDATE, at)):
                return _present(_current(connection, project_key))
            return _switch(connection, project_key, version.number, at, COLD_START)

    def add(self, project_key: str, version: NewVersion, lease: Lease) -> None:
        """Register a candidate whose checkpoint is on disk. LeaseLost when the lease went to another."""
        with self._database.write() as connection:
            verify(connection, lease)
            row = _row(project_key, version, State.CANDIDATE, now(connection))
            connection.execute(insert(VERSIONS).values(row))

    def promote(self, project_key: str, number: int, lease: Lease, *, generation: int, reason: str = "") -> Current:
        """Make a version CURRENT, proving in the same transaction that the lease holds and nobody changed CURRENT.

        Raises LeaseLost or Conflict, and then nothing has changed.
        """
        with self._database.write() as connection:
            verify(connection, lease)
            found = _current(connection, project_key)
            if (found.generation if found else 0) != generation:
                raise Conflict(
                    f"{project_key}: CURRENT is of generation {found.generation if found else 0}, not {generation}"
                )
            return _switch(connection, project_key, number, now(connection), reason)

    def decide(
        self, project_key: str, number: int, lease: Lease, *, state: State, reason: str, due_at: float = 0.0
    ) -> None:
        """Write down what the gate said of a candidate. LeaseLost when the lease went to another."""
        with self._database.write() as connection:
            verify(connection, lease)
            _set(connection, project_key, number, state=str(state), reason=reason, due_at=due_at)

    def override(self, project_key: str, version: str) -> Current:
        """An operator's choice: make this version CURRENT, whatever the gate said, and fence off a training that runs.

        Gold that waits for a training gets a new revision, so that none goes on from the version that was left.
        ValueError when there is no such version or its folder was pruned.
        """
        with self._database.write() as connection:
            query = select(VERSIONS).where(VERSIONS.c.project_key == project_key, VERSIONS.c.version == version)
            row = connection.execute(query).first()
            if row is None:
                raise ValueError(f"{project_key} has no version {version!r}: `tagloom versions` lists them.")
            if row.state == State.PRUNED:
                raise ValueError(f"{version} of {project_key} was pruned, its checkpoint is gone: choose another.")
            revoke(connection, lease_name("train", project_key))
            waiting = (PROJECTS.c.key == project_key) & (PROJECTS.c.gold_revision > PROJECTS.c.trained_revision)
            if connection.execute(select(PROJECTS.c.key).where(waiting)).first():
                grow_gold_revision(connection, project_key)
            return _switch(connection, project_key, row.number, now(connection), "chosen by the operator")

    def note(self, project_key: str, notes: Mapping[int, str]) -> None:
        """Warn of versions, by their numbers."""
        with self._database.write() as connection:
            for number, note in notes.items():
                _set(connection, project_key, number, note=note)

    def mark_pruned(self, project_key: str, numbers: Collection[int]) -> None:
        """Say that these versions' folders are about to be deleted. CURRENT is never among them."""
        with self._database.write() as connection:
            serving = _current(connection, project_key)
            for number in numbers:
                if serving is None or serving.number != number:
                    _set(connection, project_key, number, state=str(State.PRUNED))


_TOLD = ("version", "folder", "space", "labels", "phase", "note")
_CURRENT_QUERY = select(CURRENT, *(VERSIONS.c[name] for name in _TOLD)).join(
    VERSIONS, (VERSIONS.c.project_key == CURRENT.c.project_key) & (VERSIONS.c.number == CURRENT.c.number)
)


def _current(connection: Connection, project_key: str) -> Current | None:
    row = connection.execute(_CURRENT_QUERY.where(CURRENT.c.project_key == project_key)).first()
    return _as_current(row) if row else None


def _present(current: Current | None) -> Current:
    assert current is not None, "a version number 0 exists without a CURRENT row"
    return current


def _as_current(row: Row[Any]) -> Current:
    return Current(
        row.version,
        row.folder,
        row.generation,
        row.number,
        row.space,
        tuple(json.loads(row.labels)),
        row.since,
        row.phase == COLD_START,
        row.note,
    )


def _switch(connection: Connection, project_key: str, number: int, at: float, reason: str) -> Current:
    first = {"project_key": project_key, "number": number, "generation": 0, "since": at}
    insert_missing(connection, CURRENT, first)
    mine = CURRENT.c.project_key == project_key
    before = connection.execute(select(CURRENT.c.number).where(mine).with_for_update()).scalar_one()
    if before != number:
        _set(connection, project_key, before, state=str(State.SUPERSEDED))
    values = {"number": number, "generation": CURRENT.c.generation + 1, "since": at}
    connection.execute(update(CURRENT).where(mine).values(values))
    _set(connection, project_key, number, state=str(State.CURRENT), promoted_at=at, reason=reason)
    return _present(_current(connection, project_key))


def _set(connection: Connection, project_key: str, number: int, **values: Any) -> None:
    where = (VERSIONS.c.project_key == project_key) & (VERSIONS.c.number == number)
    connection.execute(update(VERSIONS).where(where).values(values))


def _row(project_key: str, version: NewVersion, state: State, at: float) -> dict[str, Any]:
    return {
        "project_key": project_key,
        "number": version.number,
        "version": version.version,
        "parent": version.parent,
        "folder": version.folder,
        "state": str(state),
        "reason": "",
        "phase": version.phase,
        "space": version.space,
        "labels": json.dumps(version.labels),
        "metrics": json.dumps(version.metrics),
        "gold_revision": version.gold_revision,
        "gold_count": version.gold_count,
        "weak_count": version.weak_count,
        "created_at": at,
        "promoted_at": 0.0,
        "note": "",
        "judged_generation": version.judged_generation,
        "due_at": 0.0,
    }


def _version(row: Row[Any]) -> Version:
    fields = dict(row._mapping)
    del fields["project_key"]
    fields["labels"] = tuple(json.loads(fields["labels"]))
    fields["metrics"] = json.loads(fields["metrics"])
    fields["state"] = State(fields["state"])
    return Version(**fields)

"""The versions of each project's model, and CURRENT, the version that serves.

The numbers of a project's versions grow and are never used again. CURRENT is one row per project. Its generation grows
with every change, including rollbacks, so that a process can notice each change.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, insert, select, update

from store.database import Database, insert_missing, now
from store.leases import Lease, lease_name, revoke, verify
from store.state import grow_gold_revision, lock_project
from store.tables import CURRENT, PROJECTS, SWITCHES, VERSIONS

COLD_START = "cold start"
"""The phase of a version that was made without gold."""


class State(StrEnum):
    """The state of a version."""

    CANDIDATE = "candidate"  # its checkpoint is written, the gate has not decided
    ACCEPTED = "accepted"  # it passed the gate, and waits for the minimum time between promotions
    CURRENT = "current"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    PRUNED = "pruned"  # its folder is deleted, or about to be


class Conflict(Exception):  # noqa: N818 - the field's word
    """CURRENT was changed, or the project forgotten, after the caller had read it: the caller must decide again."""


@dataclass(frozen=True)
class NewVersion:
    """A version whose checkpoint is written under a reserved number. `folder` is relative to the folder of checkpoints.

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
    """A version with its state.

    `promoted_at` is 0 if it never served. `due_at` is the time from which an accepted version may be promoted. `note`
    is a warning about the version that was found later, or empty.
    """

    state: State = State.CANDIDATE
    reason: str = ""
    created_at: float = 0.0
    promoted_at: float = 0.0
    due_at: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Current:
    """The served version. `folder` is relative to the folder of checkpoints."""

    version: str
    folder: str
    generation: int
    number: int
    space: str
    labels: tuple[str, ...]
    since: float
    is_cold_start: bool = False
    note: str = ""


@dataclass(frozen=True)
class Switch:
    """A change of CURRENT: the version's number, when, and the person who chose it; empty if no person did."""

    number: int
    at: float
    chosen_by: str


class Versions:
    """All versions of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, project_key: str) -> Current | None:
        """Return the served version of a project; None before its cold start."""
        with self._database.read() as connection:
            return _current(connection, project_key)

    def all_current(self) -> dict[str, Current]:
        """Return the served versions by project key."""
        with self._database.read() as connection:
            rows = connection.execute(_CURRENT_QUERY).all()
        return {row.project_key: _as_current(row) for row in rows}

    def with_accepted(self) -> Sequence[str]:
        """Return the keys of projects with a version that waits for its promotion."""
        query = select(VERSIONS.c.project_key).where(VERSIONS.c.state == str(State.ACCEPTED)).distinct()
        with self._database.read() as connection:
            return connection.execute(query).scalars().all()

    def list(self, project_key: str) -> list[Version]:
        """Return all versions of a project, the newest first."""
        query = select(VERSIONS).where(VERSIONS.c.project_key == project_key).order_by(VERSIONS.c.number.desc())
        with self._database.read() as connection:
            return [_version(row) for row in connection.execute(query).mappings()]

    def all_served(self) -> dict[str, Version]:
        """Return the served versions by project key, with what is known of each."""
        query = select(VERSIONS).join(
            CURRENT, (CURRENT.c.project_key == VERSIONS.c.project_key) & (CURRENT.c.number == VERSIONS.c.number)
        )
        with self._database.read() as connection:
            return {row["project_key"]: _version(row) for row in connection.execute(query).mappings()}

    def switches(self, project_key: str) -> Sequence[Switch]:
        """Return the changes of a project's CURRENT, the oldest first."""
        query = select(SWITCHES.c.number, SWITCHES.c.at, SWITCHES.c.chosen_by)
        query = query.where(SWITCHES.c.project_key == project_key).order_by(SWITCHES.c.generation)
        with self._database.read() as connection:
            return [Switch(*row) for row in connection.execute(query)]

    def reserve(self, project_key: str) -> int:
        """Reserve the number of the next version; it is never given out again, even if no version is made.

        Raises Conflict if the project was forgotten.
        """
        with self._database.write() as connection:
            query = select(PROJECTS.c.next_number).where(PROJECTS.c.key == project_key).with_for_update()
            number = connection.execute(query).scalar()
            if number is None:
                raise Conflict(f"{project_key} was forgotten")
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == project_key).values(next_number=number + 1))
        return int(number)

    def install(self, project_key: str, version: NewVersion, *, generation: int) -> Current:
        """Make a cold start CURRENT if CURRENT still has this generation (0: no version serves yet).

        If another process was faster, its version is returned and this one is not registered. Raises Conflict if the
        project was forgotten.
        """
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                raise Conflict(f"{project_key} was forgotten")
            found = _current(connection, project_key)
            if (found.generation if found else 0) != generation:
                return _present(found)
            at = now(connection)
            if not insert_missing(connection, VERSIONS, _row(project_key, version, State.CANDIDATE, at)):
                return _present(_current(connection, project_key))
            return _switch(connection, project_key, version.number, at, COLD_START)

    def add(self, project_key: str, version: NewVersion, lease: Lease) -> None:
        """Register a candidate whose checkpoint is written. LeaseLost if another holder has taken the lease."""
        with self._database.write() as connection:
            verify(connection, lease)
            row = _row(project_key, version, State.CANDIDATE, now(connection))
            connection.execute(insert(VERSIONS).values(row))

    def promote(self, project_key: str, number: int, lease: Lease, *, generation: int, reason: str = "") -> Current:
        """Make a version CURRENT; the same transaction verifies the lease and the generation of CURRENT.

        Raises LeaseLost, or Conflict if CURRENT has another generation; then nothing is changed.
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
        """Record the gate's decision about a candidate. LeaseLost if another holder has taken the lease."""
        with self._database.write() as connection:
            verify(connection, lease)
            _set(connection, project_key, number, state=str(state), reason=reason, due_at=due_at)

    def override(self, project_key: str, version: str, chosen_by: str = "the operator") -> Current:
        """Make the version CURRENT that a person chose, whatever the gate decided, and revoke a running training.

        If gold waits for a training, its revision grows, so that no training continues from the version that served
        before. Raises ValueError when the version does not exist or was pruned.
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
            reason = f"chosen by {chosen_by}"
            return _switch(connection, project_key, row.number, now(connection), reason, chosen_by)

    def note(self, project_key: str, notes: Mapping[int, str]) -> None:
        """Add warnings to versions, by their numbers."""
        with self._database.write() as connection:
            for number, note in notes.items():
                _set(connection, project_key, number, note=note)

    def mark_pruned(self, project_key: str, numbers: Collection[int]) -> None:
        """Mark versions whose folders are about to be deleted. CURRENT is never marked."""
        with self._database.write() as connection:
            serving = _current(connection, project_key)
            for number in numbers:
                if serving is None or serving.number != number:
                    _set(connection, project_key, number, state=str(State.PRUNED))


_SHOWN = ("version", "folder", "space", "labels", "phase", "note")
_CURRENT_QUERY = select(CURRENT, *(VERSIONS.c[name] for name in _SHOWN)).join(
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


def _switch(
    connection: Connection, project_key: str, number: int, at: float, reason: str, chosen_by: str = ""
) -> Current:
    first = {"project_key": project_key, "number": number, "generation": 0, "since": at}
    insert_missing(connection, CURRENT, first)
    mine = CURRENT.c.project_key == project_key
    before = connection.execute(select(CURRENT.c.number).where(mine).with_for_update()).scalar_one()
    if before != number:
        _set(connection, project_key, before, state=str(State.SUPERSEDED))
    values = {"number": number, "generation": CURRENT.c.generation + 1, "since": at}
    connection.execute(update(CURRENT).where(mine).values(values))
    _set(connection, project_key, number, state=str(State.CURRENT), promoted_at=at, reason=reason)
    current = _present(_current(connection, project_key))
    switch = {"project_key": project_key, "generation": current.generation, "number": number, "at": at}
    connection.execute(insert(SWITCHES).values(**switch, chosen_by=chosen_by))
    return current


def _version(row: RowMapping) -> Version:
    fields = {name: value for name, value in row.items() if name != "project_key"}
    decoded = {"labels": tuple(json.loads(row["labels"])), "metrics": json.loads(row["metrics"])}
    return Version(**{**fields, **decoded, "state": State(row["state"])})


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

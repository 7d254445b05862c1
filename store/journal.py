"""The event log: an event and its effect are durable together before the webhook is answered.

One thread commits for all callers (group commit): whoever asks while a commit runs shares the next one. Fifty
submitters then wait for one or two commits, not for fifty; `bench/journal.py` measures it. What cannot be committed
with the others is tried again alone, so that its fault is its own.
"""

import logging
import math
import queue
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from store.changes import Change, merged
from store.database import PATIENCE_S, Database, is_locked, now
from store.projects import ask_reconcile, insert_project
from store.state import (
    apply_annotations,
    apply_tasks,
    delete_annotations,
    delete_tasks,
    grow_gold_revision,
    lock_project,
)
from store.tables import EVENTS, PROJECTS

LOG = logging.getLogger(__name__)

LARGEST_GROUP = 256
PRUNED_AT_ONCE = 1_000  # rows of one transaction
ACTION_LENGTH = 64
# One try waits so long for a lock. On PostgreSQL it is one project's, and the events of others wait as long.
LOCK_S = {"sqlite": 0.3, "postgresql": 0.02}
AGAIN_S = 0.2  # until what was locked is tried again
CLOSED = None


class JournalError(Exception):
    """The event is not durable: the database did not take it."""


@dataclass(frozen=True)
class _Pending:
    change: Change
    done: "Future[None]" = field(default_factory=Future)
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)  # a lock is waited for no longer


class Journal:
    """Writes events. Any number of threads may call `record` at the same time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def record(self, change: Change, timeout: float | None = None) -> None:
        """Return when the event and its effect are durable.

        Raises JournalError when the database refuses it or takes longer than `timeout` seconds (while it is locked the
        event is tried again for PATIENCE_S, so it may still arrive then; applying it again does no harm).
        """
        pending = _Pending(change)
        self._start()
        self._pending.put(pending)
        try:
            pending.done.result(timeout)
        except TimeoutError:
            raise JournalError(f"not durable after {timeout} s") from None

    def close(self) -> None:
        """Commit what is waiting and end the thread."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread:
            self._pending.put(CLOSED)
            thread.join()

    def prune(self, before: float) -> int:
        """Delete log entries received before that instant (their effects stay). Returns how many.

        In short transactions with pauses as long as they: events that come meanwhile do not wait for all of it.
        """
        oldest = select(EVENTS.c.id).where(EVENTS.c.received_at < before).limit(PRUNED_AT_ONCE)
        pruned = 0
        while True:
            began = time.monotonic()
            with self._database.write() as connection:
                ids = list(connection.execute(oldest).scalars())
                connection.execute(delete(EVENTS).where(EVENTS.c.id.in_(ids)))
            pruned += len(ids)
            if len(ids) < PRUNED_AT_ONCE:
                return pruned
            time.sleep(time.monotonic() - began)

    def _start(self) -> None:
        if self._thread:
            return
        with self._starting:
            if not self._thread:
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        kept: list[_Pending] = []  # of projects that are locked: the others do not wait for them
        is_open = True
        while is_open or kept:
            group, more = self._group(AGAIN_S if kept else None)
            is_open = is_open and more
            locked = {entry.change.project_key for entry in kept}
            kept += [entry for entry in group if entry.change.project_key in locked]
            free = [entry for entry in group if entry.change.project_key not in locked]
            kept = self._commit(free) + self._commit(kept)

    def _group(self, seconds: float | None) -> tuple[list[_Pending], bool]:
        """What waits, once something does or the seconds are over; whether more may come."""
        group: list[_Pending] = []
        with suppress(queue.Empty):
            while len(group) < LARGEST_GROUP:
                entry = self._pending.get(timeout=seconds) if not group else self._pending.get_nowait()
                if entry is CLOSED:
                    return group, False
                group.append(entry)
        return group, True

    def _commit(self, group: Sequence[_Pending]) -> list[_Pending]:
        """Commit them, if need be by project and one by one; those that a lock kept and that are tried again."""
        if not group:
            return []
        try:
            with self._database.write(LOCK_S[self._database.engine.dialect.name]) as connection:
                _record(connection, [entry.change for entry in group])
        except Exception as error:  # whatever it was, nobody may wait for ever
            if parts := _parts(group, error):
                return [entry for part in parts for entry in self._commit(part)]
            return _failed(group, error)
        for entry in group:
            entry.done.set_result(None)
        return []


def _parts(group: Sequence[_Pending], error: Exception) -> list[list[_Pending]]:
    """What to try by itself after the whole failed; nothing where it would fail likewise.

    SQLite locks all projects, and a database that is away takes nothing from anybody.
    """
    by_project: dict[str, list[_Pending]] = defaultdict(list)
    for entry in group:
        by_project[entry.change.project_key].append(entry)
    is_of_one = not isinstance(error, OperationalError)
    if len(by_project) > 1 and (is_of_one or (is_locked(error) and not isinstance(error.orig, sqlite3.Error))):
        return list(by_project.values())
    return [[entry] for entry in group] if len(group) > 1 and is_of_one else []


def _failed(group: Sequence[_Pending], error: Exception) -> list[_Pending]:
    """Tell those who wait; the entries that are tried again because only a lock was in the way."""
    at = time.monotonic() if is_locked(error) else math.inf
    again = [entry for entry in group if at < entry.until]
    given_up = [entry for entry in group if at >= entry.until]
    if given_up:
        LOG.error("journal: %d events not committed: %s", len(given_up), error)
    for entry in given_up:
        entry.done.set_exception(JournalError(str(error)))
    return again


def apply(connection: Connection, change: Change, at: float) -> None:
    """Bring the state up to date with one change."""
    gold = _apply_project(connection, change, at)
    gold |= delete_tasks(connection, change.project_key, change.deleted_tasks, at)
    gold |= delete_annotations(connection, change.project_key, change.deleted_annotations, at)
    gold |= apply_tasks(connection, change.project_key, change.tasks, at)
    gold |= apply_annotations(connection, change.project_key, change.annotations, at) > 0
    if gold:
        grow_gold_revision(connection, change.project_key)
    if change.asks_reconcile:
        ask_reconcile(connection, change.project_key, at)


def _record(connection: Connection, changes: Sequence[Change]) -> None:
    by_project: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_project[change.project_key].append(change)
    for key, together in sorted(by_project.items()):  # in one order, so that no two backends wait for each other
        lock_project(connection, key)
        at = now(connection)  # not before the lock: whoever held it may have begun a reconcile
        # What cannot be applied must not take others with it: it is logged with the reason, reconcile repairs.
        failures = [""] * len(together)
        if _try(connection, merged(together), at):
            failures = [_try(connection, change, at) for change in together]
        if any(failures):
            ask_reconcile(connection, key, at)
        connection.execute(insert(EVENTS), [_entry(*pair, at) for pair in zip(together, failures, strict=True)])


def _try(connection: Connection, change: Change, at: float) -> str:
    """Apply a change or nothing of it; the reason when it failed, else the empty string."""
    try:
        with connection.begin_nested():
            apply(connection, change, at)
    except (ValueError, SQLAlchemyError) as error:
        if is_locked(error):
            raise
        LOG.error("journal: %s of %s could not be applied: %s", change.action, change.project_key, error)
        return f"{type(error).__name__}: {error}"
    return ""


def _entry(change: Change, failure: str, at: float) -> dict[str, object]:
    return {
        "received_at": at,
        "project_key": change.project_key,
        "action": change.action[:ACTION_LENGTH],
        "body": change.body,
        "failure": failure,
    }


def _apply_project(connection: Connection, change: Change, at: float) -> bool:
    """Make or update the project's row; True when the label config changed."""
    query = select(PROJECTS.c.label_config, PROJECTS.c.config_us).where(PROJECTS.c.key == change.project_key)
    known = connection.execute(query).first()
    if known is None:
        if insert_project(connection, change.project_key, change.label_config, change.title, change.config_us, at):
            return False
        known = connection.execute(query.with_for_update()).one()  # another has just made it
    if not change.label_config or change.config_us <= known.config_us:
        return False
    connection.execute(
        update(PROJECTS)
        .where(PROJECTS.c.key == change.project_key)
        .values(label_config=change.label_config, config_us=change.config_us, title=change.title)
    )
    return bool(known.label_config != change.label_config)

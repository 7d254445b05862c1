"""The event log. Before a webhook is answered, its event and the event's effect are durable, in one transaction.

One thread commits for all callers (group commit): all events that arrive while a commit runs share the next commit.
Fifty callers then wait for one or two commits instead of fifty; `bench/journal.py` measures this. If a group cannot be
committed, its events are committed one by one, so that a faulty event does not affect the others.
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

from sqlalchemy import Connection, delete, func, insert, select, update
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
PRUNED_AT_ONCE = 1_000  # rows that one transaction deletes
ACTION_LENGTH = 64  # characters of the column EVENTS.action
# Seconds that one attempt waits for a lock. On PostgreSQL the lock belongs to one project, but the events of other
# projects wait as long, so the time is short.
LOCK_S = {"sqlite": 0.3, "postgresql": 0.02}
AGAIN_S = 0.2  # seconds until events that met a lock are tried again
CLOSED = None  # the entry that ends the thread


class JournalError(Exception):
    """The event is not durable: the database did not accept it."""


@dataclass(frozen=True)
class _Pending:
    """An event that waits for its commit. ``done`` gets the outcome; after ``until`` a locked event is given up."""

    change: Change
    done: "Future[None]" = field(default_factory=Future)
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)


class Journal:
    """Records events. Thread-safe: any number of threads may call `record` at the same time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def record(self, change: Change, timeout: float | None = None) -> None:
        """Record an event; return when the event and its effect are durable.

        Raises JournalError when the database refuses the event or takes longer than `timeout` seconds. While the
        database is locked, the event is tried again for PATIENCE_S seconds, so it may become durable after the timeout;
        recording it a second time does no harm.
        """
        pending = _Pending(change)
        # The first event starts the thread. The second check is needed because two callers may arrive together.
        if not self._thread:
            with self._starting:
                if not self._thread:
                    self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                    self._thread.start()
        self._pending.put(pending)
        try:
            pending.done.result(timeout)
        except TimeoutError:
            raise JournalError(f"not durable after {timeout} s") from None

    def close(self) -> None:
        """Commit the waiting events and end the thread."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread:
            self._pending.put(CLOSED)
            thread.join()

    def newest(self, project_key: str, action: str) -> int:
        """Return the number of a project's newest event of this action; 0 if the log has none."""
        query = select(func.max(EVENTS.c.id)).where(EVENTS.c.project_key == project_key, EVENTS.c.action == action)
        with self._database.read() as connection:
            return connection.execute(query).scalar() or 0

    def prune(self, before: float) -> int:
        """Delete the log's events received before this time (`Store.now`), not their effects; return how many.

        Each transaction is short and followed by a pause of the same length, so that new events can be committed
        in between.
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

    def _run(self) -> None:
        """Commit groups of events until the journal is closed and no event waits for a lock any more."""
        # Events of locked projects, in the order of their arrival. Events of other projects do not wait for them.
        kept: list[_Pending] = []
        is_open = True
        while is_open or kept:
            # The first event is waited for; the events that have arrived by then join it.
            group: list[_Pending] = []
            with suppress(queue.Empty):
                while len(group) < LARGEST_GROUP:
                    seconds = AGAIN_S if kept else None
                    entry = self._pending.get(timeout=seconds) if not group else self._pending.get_nowait()
                    if entry is CLOSED:
                        is_open = False
                        break
                    group.append(entry)
            locked = {entry.change.project_key for entry in kept}
            kept += [entry for entry in group if entry.change.project_key in locked]
            free = [entry for entry in group if entry.change.project_key not in locked]
            kept = self._commit(free) + self._commit(kept)

    def _commit(self, group: Sequence[_Pending]) -> list[_Pending]:
        """Commit events, if necessary in parts; return the events that met a lock and are to be tried again."""
        if not group:
            return []
        try:
            with self._database.write(LOCK_S[self._database.engine.dialect.name]) as connection:
                _record(connection, [entry.change for entry in group])
        # Any error must reach the callers; otherwise they would wait forever.
        except Exception as error:
            if parts := _parts(group, error):
                return [entry for part in parts for entry in self._commit(part)]
            # Only an event that met a lock is tried again, until its patience ends.
            at = time.monotonic() if is_locked(error) else math.inf
            again = [entry for entry in group if at < entry.until]
            given_up = [entry for entry in group if at >= entry.until]
            if given_up:
                LOG.error("journal: %d events not committed: %s", len(given_up), error)
            for entry in given_up:
                entry.done.set_exception(JournalError(str(error)))
            return again
        for entry in group:
            entry.done.set_result(None)
        return []


def _parts(group: Sequence[_Pending], error: Exception) -> list[list[_Pending]]:
    """Return the parts of a failed group that are to be committed separately; none if they would fail like the group.

    Splitting does not help if SQLite is locked, which affects all projects, or if the database cannot be reached.
    """
    by_project: dict[str, list[_Pending]] = defaultdict(list)
    for entry in group:
        by_project[entry.change.project_key].append(entry)
    # An error of another kind than OperationalError is caused by a single event.
    is_of_one = not isinstance(error, OperationalError)
    if len(by_project) > 1 and (is_of_one or (is_locked(error) and not isinstance(error.orig, sqlite3.Error))):
        return list(by_project.values())
    return [[entry] for entry in group] if len(group) > 1 and is_of_one else []


def apply(connection: Connection, change: Change, at: float) -> None:
    """Apply one change to the stored project, tasks and annotations. ``at`` is the time by the store's clock."""
    query = select(PROJECTS.c.label_config, PROJECTS.c.config_us).where(PROJECTS.c.key == change.project_key)
    known = connection.execute(query).first()
    if known is None and not insert_project(
        connection, change.project_key, change.label_config, change.title, change.config_us, at
    ):
        # Another transaction has just inserted the row.
        known = connection.execute(query.with_for_update()).one()
    gold = False
    if known is not None and change.label_config and change.config_us > known.config_us:
        connection.execute(
            update(PROJECTS)
            .where(PROJECTS.c.key == change.project_key)
            .values(label_config=change.label_config, config_us=change.config_us, title=change.title)
        )
        # Another label config changes the gold that the annotations give.
        gold = bool(known.label_config != change.label_config)
    gold |= delete_tasks(connection, change.project_key, change.deleted_tasks, at)
    gold |= delete_annotations(connection, change.project_key, change.deleted_annotations, at)
    gold |= apply_tasks(connection, change.project_key, change.tasks, at)
    gold |= apply_annotations(connection, change.project_key, change.annotations, at) > 0
    if gold:
        grow_gold_revision(connection, change.project_key)
    if change.asks_reconcile:
        ask_reconcile(connection, change.project_key, at)


def _record(connection: Connection, changes: Sequence[Change]) -> None:
    """Apply changes and write them to the event log, project by project."""
    by_project: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_project[change.project_key].append(change)
    # Projects are locked in the order of their keys, so that two backends cannot deadlock.
    for key, together in sorted(by_project.items()):
        lock_project(connection, key)
        # The time is read after the lock, because the previous holder of the lock may have begun a reconcile.
        at = now(connection)
        # A change that cannot be applied must not prevent the others. It is logged with the reason, and a reconcile is
        # requested, which repairs the state.
        failures = [""] * len(together)
        if _try(connection, merged(together), at):
            failures = [_try(connection, change, at) for change in together]
        if any(failures):
            ask_reconcile(connection, key, at)
        connection.execute(insert(EVENTS), [_entry(*pair, at) for pair in zip(together, failures, strict=True)])


def _try(connection: Connection, change: Change, at: float) -> str:
    """Apply a change completely or not at all; return the reason if it failed, otherwise the empty string."""
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
    """Return the row of the event log for one change."""
    return {
        "received_at": at,
        "project_key": change.project_key,
        "action": change.action[:ACTION_LENGTH],
        "body": change.body,
        "failure": failure,
    }

"""Weak labels: the label model's probabilities for tasks without annotations, and the votes that they are based on."""

import itertools
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, select

from store.database import Database, among, upsert
from store.leases import Lease, verify
from store.tables import WEAK_LABELS

TRANSACTION_ROWS = 500  # rows per transaction: writing 500,000 rows in one transaction delayed the journal by 739 ms
SHARE = 1.0  # the pause after each transaction, relative to its duration; other writers use the pause


@dataclass(frozen=True)
class WeakLabel:
    """One label of one task: probability and confidence in [0, 1], and the vote in [0, 1] of each source by name."""

    probability: float
    confidence: float
    sources: Mapping[str, float]


class WeakLabelTable:
    """The newest weak labels of each project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self,
        project_key: str,
        rows: Iterable[tuple[int, Mapping[str, WeakLabel]]],
        *,
        space: str,
        gold_revision: int,
        lease: Lease,
    ) -> int:
        """Replace the project's weak labels; return how many tasks have weak labels now.

        ``rows`` are pairs of a task id and its weak labels by label. ``space`` and ``gold_revision`` describe what the
        weak labels were computed from. The rows are written in many short transactions, with pauses for other writers;
        each transaction verifies the lease and raises LeaseLost if another holder has taken it.
        """
        written = 0
        pending = iter(rows)
        while part := list(itertools.islice(pending, TRANSACTION_ROWS)):
            entries = [
                {
                    "project_key": project_key,
                    "task_id": task_id,
                    "space": space,
                    "gold_revision": gold_revision,
                    "labels": _encode(labels),
                }
                for task_id, labels in part
            ]
            started = time.monotonic()
            with self._database.write() as connection:
                verify(connection, lease)
                upsert(connection, WEAK_LABELS, entries)
            written += len(entries)
            time.sleep((time.monotonic() - started) * SHARE)
        self._delete_older(project_key, gold_revision, lease)
        return written

    def of_project(self, project_key: str) -> dict[int, dict[str, WeakLabel]]:
        """Return the weak labels of each task: task id → label → weak label."""
        return self._read(select(WEAK_LABELS).where(WEAK_LABELS.c.project_key == project_key))

    def of_tasks(self, project_key: str, tasks: Sequence[int]) -> dict[int, dict[str, WeakLabel]]:
        """Return the weak labels of these tasks, as ``of_project``."""
        own = (WEAK_LABELS.c.project_key == project_key) & among(WEAK_LABELS.c.task_id, tasks)
        return self._read(select(WEAK_LABELS).where(own))

    def count(self, project_key: str) -> int:
        """Return the number of tasks with weak labels."""
        query = select(func.count()).select_from(WEAK_LABELS).where(WEAK_LABELS.c.project_key == project_key)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def _read(self, query: Select[Any]) -> dict[int, dict[str, WeakLabel]]:
        with self._database.read() as connection:
            return {
                row.task_id: {label: WeakLabel(*entry) for label, entry in json.loads(row.labels).items()}
                for row in connection.execute(query)
            }

    def _delete_older(self, project_key: str, gold_revision: int, lease: Lease) -> None:
        """Delete the weak labels of older gold revisions, in short transactions like ``replace``."""
        older = (WEAK_LABELS.c.project_key == project_key) & (WEAK_LABELS.c.gold_revision < gold_revision)
        query = select(WEAK_LABELS.c.task_id).where(older).limit(TRANSACTION_ROWS)
        while True:
            with self._database.write() as connection:
                verify(connection, lease)
                ids = list(connection.execute(query).scalars())
                if not ids:
                    return
                connection.execute(delete(WEAK_LABELS).where(older, among(WEAK_LABELS.c.task_id, ids)))


def _encode(labels: Mapping[str, WeakLabel]) -> str:
    """Return a task's weak labels as compact JSON, with six decimals; ``of_project`` reads it."""
    values = {
        label: [
            round(weak.probability, 6),
            round(weak.confidence, 6),
            {name: round(v, 6) for name, v in weak.sources.items()},
        ]
        for label, weak in labels.items()
    }
    return json.dumps(values, separators=(",", ":"))

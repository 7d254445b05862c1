"""Weak labels with their provenance: what the label model believes of tasks that nobody has labelled."""

import itertools
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from store.database import Database, among, upsert
from store.leases import Lease, verify
from store.tables import WEAK_LABELS

TRANSACTION_ROWS = 500  # PARTS: 500,000 rows in one transaction held the journal up for 739 ms
SHARE = 1.0  # pause after each transaction, as a share of its time: others get the database in between


@dataclass(frozen=True)
class WeakLabel:
    """One class of one task: probability and confidence in [0, 1], and each source's vote in [0, 1]."""

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
        """Put (task id, label → weak label) in place of all older ones; returns how many tasks have some now.

        Many short transactions with pauses for other writers, each under the lease (LeaseLost when another has it).
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
        """Task id → label → weak label."""
        query = select(WEAK_LABELS).where(WEAK_LABELS.c.project_key == project_key)
        with self._database.read() as connection:
            return {row.task_id: _decode(row.labels) for row in connection.execute(query)}

    def count(self, project_key: str) -> int:
        query = select(func.count()).select_from(WEAK_LABELS).where(WEAK_LABELS.c.project_key == project_key)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def _delete_older(self, project_key: str, gold_revision: int, lease: Lease) -> None:
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
    values = {
        label: [
            round(weak.probability, 6),
            round(weak.confidence, 6),
            {name: round(v, 6) for name, v in weak.sources.items()},
        ]
        for label, weak in labels.items()
    }
    return json.dumps(values, separators=(",", ":"))


def _decode(text: str) -> dict[str, WeakLabel]:
    return {label: WeakLabel(*entry) for label, entry in json.loads(text).items()}

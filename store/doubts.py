"""Doubtful gold: labels that model and sources contradict, as the last training found them, and who dismissed which."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from store.database import Database, now, upsert
from store.leases import Lease, verify
from store.state import lock_project
from store.tables import DOUBTS


@dataclass(frozen=True)
class Doubt:
    """One doubtful label of one task.

    Args:
        given: whether annotators gave the label.
        probability: that of the label, by a model that has not seen the item.
        sources: the sources that contradict the gold most: name and log-odds that each adds.
        nearest: the nearest labelled tasks: id, similarity, and whether the label is there.
        gold: a digest of the task's gold. A dismissed doubt stays dismissed until it changes.
    """

    task_id: int
    label: str
    given: bool
    probability: float
    gold: str
    sources: tuple[tuple[str, float], ...] = ()
    nearest: tuple[tuple[int, float, bool], ...] = ()

    @property
    def strength(self) -> float:
        """The probability that this gold is wrong, by a model that has not seen the item."""
        return 1 - self.probability if self.given else self.probability


@dataclass(frozen=True)
class Kept:
    """A doubt as it is kept: when and by whom it was dismissed, 0 and "" if it was not."""

    doubt: Doubt
    dismissed_at: float = 0.0
    dismissed_by: str = ""


class Doubts:
    """The table of doubts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, project_key: str, found: Sequence[Doubt], lease: Lease) -> None:
        """Keep the doubts that a training found in place of all others; those dismissed before stay dismissed.

        A dismissed doubt is remembered where it is not found this time, so that it does not come back later. Raises
        LeaseLost if another holder has taken the lease.
        """
        with self._database.write() as connection:
            verify(connection, lease)
            mine = DOUBTS.c.project_key == project_key
            dismissed = {
                (row.task_id, row.label): row
                for row in connection.execute(select(DOUBTS).where(mine, DOUBTS.c.dismissed_at > 0))
            }
            connection.execute(delete(DOUBTS).where(mine, DOUBTS.c.dismissed_at == 0))
            connection.execute(update(DOUBTS).where(mine).values(stands=False))
            rows = []
            for doubt in found:
                old = dismissed.get((doubt.task_id, doubt.label))
                is_old = old is not None and old.gold == doubt.gold
                rows.append(
                    {
                        "project_key": project_key,
                        "task_id": doubt.task_id,
                        "label": doubt.label,
                        "given": doubt.given,
                        "probability": doubt.probability,
                        "because": json.dumps([doubt.sources, doubt.nearest], ensure_ascii=False),
                        "gold": doubt.gold,
                        "stands": True,
                        "dismissed_at": old.dismissed_at if old and is_old else 0.0,
                        "dismissed_by": old.dismissed_by if old and is_old else "",
                    }
                )
            upsert(connection, DOUBTS, rows)

    def of(self, project_key: str) -> list[Kept]:
        """Return the doubts of the last training, the strongest first; dismissed ones too."""
        query = select(DOUBTS).where(DOUBTS.c.project_key == project_key, DOUBTS.c.stands)
        found = []
        with self._database.read() as connection:
            for row in connection.execute(query):
                sources, nearest = json.loads(row.because)
                doubt = Doubt(
                    row.task_id,
                    row.label,
                    row.given,
                    row.probability,
                    row.gold,
                    tuple((name, share) for name, share in sources),
                    tuple((task, similarity, there) for task, similarity, there in nearest),
                )
                found.append(Kept(doubt, row.dismissed_at, row.dismissed_by))
        return sorted(found, key=lambda kept: (-kept.doubt.strength, kept.doubt.task_id, kept.doubt.label))

    def count(self, project_key: str) -> int:
        """Return how many doubts stand and are not dismissed."""
        mine = (DOUBTS.c.project_key == project_key) & DOUBTS.c.stands & (DOUBTS.c.dismissed_at == 0)
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(DOUBTS).where(mine)).scalar_one())

    def dismiss(self, project_key: str, task_id: int, label: str, person: str) -> bool:
        """Dismiss a doubt, or with ``person`` "" let it stand again; return False if there is no such doubt."""
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return False
            one = (DOUBTS.c.project_key == project_key) & (DOUBTS.c.task_id == task_id) & (DOUBTS.c.label == label)
            values = {"dismissed_at": now(connection) if person else 0.0, "dismissed_by": person}
            done = update(DOUBTS).where(one, DOUBTS.c.stands).values(**values).returning(DOUBTS.c.task_id)
            return connection.execute(done).first() is not None

"""Screens of proposals that a person accepted, and what became of each picture of them in Label Studio.

A batch is one screen. It is stored before anything is written, so that whatever breaks, what was written is known, and
the batch can be continued or taken back.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from store.database import Database, now
from store.state import lock_project
from store.tables import BATCH_PICTURES, BATCHES


class Fate(StrEnum):
    """What became of a picture of a batch."""

    WAITING = "waiting"  # its annotation is to be written
    WRITTEN = "written"
    EXCEPTION = "exception"  # the person took it out
    LABELLED = "labelled"  # left out: somebody had labelled or skipped it meanwhile
    IN_WORK = "in work"  # left out: somebody is at it, a draft exists
    GONE = "gone"  # left out: Label Studio has no such task any more
    REFUSED = "refused"  # left out: Label Studio refuses the annotation
    TAKEN_BACK = "taken back"  # Label Studio holds no annotation of this batch
    CHANGED = "changed"  # was to be taken back, but a person has changed the annotation, or is at it


OPEN = (Fate.WAITING, Fate.WRITTEN)
"""The fates of pictures whose annotation may be in Label Studio, and which nobody has claimed."""


@dataclass(frozen=True)
class Picture:
    """A picture of a batch. ``result`` is what is written; empty once it is.

    ``annotation_id``, ``updated_at`` and ``digest`` (of the content) are those of the annotation as Label Studio held
    it after writing.
    """

    task_id: int
    fate: Fate
    result: Sequence[Mapping[str, Any]] = ()
    annotation_id: int = 0
    updated_at: str = ""
    digest: str = ""


@dataclass(frozen=True)
class NewBatch:
    """A screen as a person accepts it. ``form`` names the form that was sent, so that it counts once.

    ``labels`` are those given to all its pictures, as the table of answers has them (JSON); ``seconds`` is the
    person's time for each picture.
    """

    form: str
    person: str
    version: str
    labels: str
    seconds: float
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Batch:
    """A stored batch, with the number of pictures of each fate. ``problem`` says why it stopped; empty if it did not.

    ``taken_back_at`` is 0 unless somebody has taken it back.
    """

    id: int
    project_key: str
    person: str
    at: float
    version: str
    labels: tuple[str, ...]
    seconds: float
    problem: str
    taken_back_by: str
    taken_back_at: float
    counts: Mapping[Fate, int] = field(default_factory=dict)

    def count(self, *fates: Fate) -> int:
        """Return how many pictures have one of these fates."""
        return sum(self.counts.get(fate, 0) for fate in fates)

    @property
    def is_open(self) -> bool:
        """Whether something is left to write or, after it was taken back, to delete."""
        return self.count(*OPEN) > 0 if self.taken_back_at else self.count(Fate.WAITING) > 0


class Batches:
    """The table of batches and that of their pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, project_key: str, new: NewBatch) -> tuple[int, bool]:
        """Store a batch; return its id, and whether it is new: a form that was sent before gives the same batch.

        A picture that another batch has, and has not given back, is left out as labelled. Raises LookupError if the
        project was forgotten.
        """
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                raise LookupError(f"{project_key} was forgotten")
            mine = (BATCHES.c.project_key == project_key) & (BATCHES.c.form == new.form)
            found = connection.execute(select(BATCHES.c.id).where(mine)).scalar()
            if found is not None:
                return int(found), False
            row = {
                "project_key": project_key,
                "form": new.form,
                "person": new.person,
                "at": now(connection),
                "version": new.version,
                "labels": new.labels,
                "seconds": new.seconds,
                "problem": "",
                "taken_back_by": "",
                "taken_back_at": 0.0,
            }
            number = int(connection.execute(insert(BATCHES).values(row).returning(BATCHES.c.id)).scalar_one())
            mine = (BATCH_PICTURES.c.project_key == project_key) & BATCH_PICTURES.c.state.in_([*map(str, OPEN)])
            ids = [one.task_id for one in new.pictures]
            query = select(BATCH_PICTURES.c.task_id).where(mine, BATCH_PICTURES.c.task_id.in_(ids))
            claimed = set(connection.execute(query).scalars())
            rows = [
                {
                    "batch": number,
                    "task_id": one.task_id,
                    "project_key": project_key,
                    "labels": new.labels,
                    "state": str(Fate.LABELLED if one.fate is Fate.WAITING and one.task_id in claimed else one.fate),
                    "result": json.dumps(list(one.result)),
                    "annotation_id": 0,
                    "updated_at": "",
                    "digest": "",
                }
                for one in new.pictures
            ]
            connection.execute(insert(BATCH_PICTURES), rows)
        return number, True

    def get(self, project_key: str, number: int) -> Batch | None:
        """Return a batch of a project; None if there is none of this number."""
        with self._database.read() as connection:
            found = _batches(connection, (BATCHES.c.project_key == project_key) & (BATCHES.c.id == number), 1)
        return found[0] if found else None

    def of_form(self, project_key: str, form: str) -> int | None:
        """Return the id of the batch that a form made; None if it was not sent before."""
        query = select(BATCHES.c.id).where(BATCHES.c.project_key == project_key, BATCHES.c.form == form)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return int(found) if found is not None else None

    def newest(self, project_key: str, most: int) -> list[Batch]:
        """Return the newest batches of a project, the newest first."""
        with self._database.read() as connection:
            return _batches(connection, BATCHES.c.project_key == project_key, most)

    def pictures(self, number: int, fates: Collection[Fate] = tuple(Fate)) -> list[Picture]:
        """Return the pictures of a batch that have one of these fates, in the order of task ids."""
        query = select(BATCH_PICTURES).where(
            BATCH_PICTURES.c.batch == number, BATCH_PICTURES.c.state.in_([str(fate) for fate in fates])
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(BATCH_PICTURES.c.task_id)).mappings().all()
        return [
            Picture(
                row["task_id"],
                Fate(row["state"]),
                json.loads(row["result"]),
                row["annotation_id"],
                row["updated_at"],
                row["digest"],
            )
            for row in rows
        ]

    def settle(self, number: int, picture: Picture) -> None:
        """Record what became of a picture. What is written once is not kept a second time."""
        values = {
            "state": str(picture.fate),
            "result": json.dumps(list(picture.result)),
            "annotation_id": picture.annotation_id,
            "updated_at": picture.updated_at,
            "digest": picture.digest,
        }
        mine = (BATCH_PICTURES.c.batch == number) & (BATCH_PICTURES.c.task_id == picture.task_id)
        with self._database.write() as connection:
            connection.execute(update(BATCH_PICTURES).where(mine).values(values))

    def note(self, number: int, problem: str) -> None:
        """Record why a batch stopped; an empty text says that it goes on."""
        with self._database.write() as connection:
            connection.execute(update(BATCHES).where(BATCHES.c.id == number).values(problem=problem))

    def take_back(self, number: int, person: str) -> None:
        """Record that a person takes a batch back; the first one who did is kept."""
        with self._database.write() as connection:
            values = {"taken_back_by": person, "taken_back_at": now(connection), "problem": ""}
            first = (BATCHES.c.id == number) & (BATCHES.c.taken_back_at == 0)
            connection.execute(update(BATCHES).where(first).values(values))


def _batches(connection: Connection, where: Any, most: int) -> list[Batch]:
    query = select(BATCHES).where(where).order_by(BATCHES.c.id.desc()).limit(most)
    rows = connection.execute(query).mappings().all()
    counts: dict[int, Counter[Fate]] = {row["id"]: Counter() for row in rows}
    counted = (
        select(BATCH_PICTURES.c.batch, BATCH_PICTURES.c.state, func.count())
        .where(BATCH_PICTURES.c.batch.in_(list(counts)))
        .group_by(BATCH_PICTURES.c.batch, BATCH_PICTURES.c.state)
    )
    for number, state, count in connection.execute(counted):
        counts[number][Fate(state)] = count
    return [_batch(row, counts[row["id"]]) for row in rows]


def _batch(row: RowMapping, counts: Mapping[Fate, int]) -> Batch:
    fields = {name: value for name, value in row.items() if name != "form"}
    return Batch(**{**fields, "labels": tuple(json.loads(row["labels"]))}, counts=counts)

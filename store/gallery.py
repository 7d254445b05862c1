"""Pictures by what was answered to them and what people said: the kept answers, filtered and sorted by the database.

Two tables belong to the answers. One has a row for each label of each answer: whether it is given, and the source that
speaks most for it. The other has the labels of gold, as the last training or keeping of answers read it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, text, union_all

from store.database import Database, among, upsert
from store.leases import Lease, verify
from store.state import chunks
from store.tables import ANSWER_LABELS, ANSWERS, GOLD_LABELS
from store.versioned import BULK, delete_others


class Verdict(StrEnum):
    """How an answer compares with gold. WRONG: a label is given that is not there, or one is missing."""

    RIGHT = "right"
    WRONG = "wrong"
    UNLABELLED = "unlabelled"


class Order(StrEnum):
    """How pictures are sorted; the task's id decides between equal ones."""

    LEAST_SURE = "score"
    SUREST = "-score"
    TASK = "task"


@dataclass(frozen=True)
class Wanted:
    """Which pictures are wanted.

    With a ``label`` the verdict is that on this label alone, and without a verdict the label must be given. ``source``:
    one that speaks most for a given label (or for ``label``). ``look_alike``: a group (`store.answers.Answer`).
    """

    label: str = ""
    low: float = 0.0
    high: float = 1.0
    source: str = ""
    verdict: Verdict | None = None
    changed: bool = False
    look_alike: int | None = None
    order: Order = Order.LEAST_SURE


@dataclass(frozen=True)
class Place:
    """Where a page of pictures begins: after the picture with this score and task id."""

    score: float
    task_id: int


@dataclass(frozen=True)
class LabelAnswer:
    """Whether a version gives a label to a task, and the source that speaks most for it; "" where none does."""

    label: str
    given: bool
    source: str


class Gallery:
    """The labels of answers and of gold, and the pictures that they select."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, project_key: str, version: str, answers: Mapping[int, Sequence[LabelAnswer]], lease: Lease) -> None:
        """Keep the labels of a version's answers, in place of older ones. Raises LeaseLost."""
        rows = [
            {
                "project_key": project_key,
                "version": version,
                "task_id": task_id,
                "label": one.label,
                "given": one.given,
                "source": one.source,
            }
            for task_id, labels in answers.items()
            for one in labels
        ]
        for start in range(0, len(rows), BULK):
            with self._database.write() as connection:
                verify(connection, lease)
                upsert(connection, ANSWER_LABELS, rows[start : start + BULK])

    def keep_versions(self, project_key: str, versions: Sequence[str], lease: Lease) -> None:
        """Delete the labels of answers of all other versions."""
        delete_others(self._database, ANSWER_LABELS, project_key, versions, lease)

    def set_gold(self, project_key: str, gold: Mapping[int, Mapping[str, bool]], lease: Lease) -> None:
        """Record the known labels of all gold (task → label → whether it is there). Only what differs is written."""
        mine = GOLD_LABELS.c.project_key == project_key
        with self._database.read() as connection:
            known = {(row.task_id, row.label): row.there for row in connection.execute(select(GOLD_LABELS).where(mine))}
        wanted = {(task_id, label): there for task_id, said in gold.items() for label, there in said.items()}
        rows = [
            {"project_key": project_key, "task_id": task_id, "label": label, "there": there}
            for (task_id, label), there in wanted.items()
            if known.get((task_id, label)) is not there
        ]
        for start in range(0, len(rows), BULK):
            with self._database.write() as connection:
                verify(connection, lease)
                upsert(connection, GOLD_LABELS, rows[start : start + BULK])
        gone: dict[str, list[int]] = {}
        for task_id, label in sorted(known.keys() - wanted.keys()):
            gone.setdefault(label, []).append(task_id)
        for label, ids in gone.items():
            for part in chunks(ids):
                with self._database.write() as connection:
                    verify(connection, lease)
                    own = mine & (GOLD_LABELS.c.label == label) & among(GOLD_LABELS.c.task_id, part)
                    connection.execute(delete(GOLD_LABELS).where(own))

    def count_rows(self) -> None:
        """Let PostgreSQL look at the tables now that many rows have changed.

        It plans by what it saw last. Until it looks by itself, a minute later, a page could take minutes.
        """
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"ANALYZE {ANSWERS.name}, {ANSWER_LABELS.name}, {GOLD_LABELS.name}"))

    def page(
        self, project_key: str, version: str, wanted: Wanted, most: int, after: Place | None = None
    ) -> list[Place]:
        """Return the next pictures, as their scores and task ids, in the wanted order."""
        score, task = ANSWERS.c.score, ANSWERS.c.task_id
        query = select(score, task).where(_selected(project_key, version, wanted))
        if wanted.order is Order.TASK:
            query = query.order_by(task)
            later = task > after.task_id if after else None
        else:
            down = wanted.order is Order.SUREST
            query = query.order_by(score.desc() if down else score, task)
            later = _later(after, down=down) if after else None
        with self._database.read() as connection:
            rows = connection.execute((query if later is None else query.where(later)).limit(most))
            return [Place(row.score, row.task_id) for row in rows]

    def count(self, project_key: str, version: str, wanted: Wanted) -> int:
        """Return how many pictures are wanted."""
        query = select(func.count()).select_from(ANSWERS).where(_selected(project_key, version, wanted))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def sources(self, project_key: str, version: str) -> list[str]:
        """Return the sources that speak most for any label, in the order of their names."""
        mine = (ANSWER_LABELS.c.project_key == project_key) & (ANSWER_LABELS.c.version == version)
        query = select(ANSWER_LABELS.c.source).where(mine, ANSWER_LABELS.c.source != "").distinct()
        with self._database.read() as connection:
            return sorted(connection.execute(query).scalars())

    def look_alikes(self, project_key: str, version: str, groups: Sequence[int]) -> dict[int, int]:
        """Return how many pictures each of these groups of look-alikes has."""
        if not groups:
            return {}
        query = select(ANSWERS.c.look_alike, func.count()).where(
            _own(project_key, version), among(ANSWERS.c.look_alike, groups)
        )
        with self._database.read() as connection:
            return {group: int(n) for group, n in connection.execute(query.group_by(ANSWERS.c.look_alike))}

    def with_labels(self, project_key: str, version: str, labels: Collection[str]) -> list[int]:
        """Return the tasks with one of these labels: by gold where there is some, else by the version's answer."""
        gold = select(GOLD_LABELS.c.task_id).where(GOLD_LABELS.c.project_key == project_key)
        there = gold.where(GOLD_LABELS.c.label.in_(labels), GOLD_LABELS.c.there)
        mine = (ANSWER_LABELS.c.project_key == project_key) & (ANSWER_LABELS.c.version == version)
        answered = select(ANSWER_LABELS.c.task_id).where(
            mine, ANSWER_LABELS.c.label.in_(labels), ANSWER_LABELS.c.given, ANSWER_LABELS.c.task_id.not_in(gold)
        )
        with self._database.read() as connection:
            return list(connection.execute(union_all(there.distinct(), answered)).scalars())

    def gold_tasks(self, project_key: str) -> set[int]:
        """Return the tasks of which the labels of gold are known."""
        query = select(GOLD_LABELS.c.task_id).where(GOLD_LABELS.c.project_key == project_key).distinct()
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def given_unlabelled(self, project_key: str, version: str) -> dict[str, int]:
        """Return to how many tasks without gold a version gives each label, without labels that it gives to none."""
        mine = (ANSWER_LABELS.c.project_key == project_key) & (ANSWER_LABELS.c.version == version)
        gold = select(GOLD_LABELS.c.task_id).where(GOLD_LABELS.c.project_key == project_key)
        query = select(ANSWER_LABELS.c.label, func.count().label("given")).group_by(ANSWER_LABELS.c.label)
        query = query.where(mine, ANSWER_LABELS.c.given, ANSWER_LABELS.c.task_id.not_in(gold))
        with self._database.read() as connection:
            return {row.label: row.given for row in connection.execute(query)}

    def labels(self, project_key: str, version: str, tasks: Sequence[int]) -> dict[int, dict[str, LabelAnswer]]:
        """Return the labels of the answers to these tasks: task → label → answer."""
        query = select(ANSWER_LABELS).where(ANSWER_LABELS.c.project_key == project_key)
        found: dict[int, dict[str, LabelAnswer]] = {}
        for row in self._rows(query.where(ANSWER_LABELS.c.version == version), tasks):
            found.setdefault(row.task_id, {})[row.label] = LabelAnswer(row.label, row.given, row.source)
        return found

    def _rows(self, query: Select[Any], tasks: Sequence[int]) -> list[Any]:
        with self._database.read() as connection:
            return [
                row
                for part in chunks(sorted(tasks))
                for row in connection.execute(query.where(among(ANSWER_LABELS.c.task_id, part)))
            ]


def _own(project_key: str, version: str) -> ColumnElement[bool]:
    return (ANSWERS.c.project_key == project_key) & (ANSWERS.c.version == version)


def _later(after: Place, *, down: bool) -> ColumnElement[bool]:
    """Return the condition that a picture comes after a place, by score and then by task id."""
    score, task = ANSWERS.c.score, ANSWERS.c.task_id
    beyond = score < after.score if down else score > after.score
    return or_(beyond, and_(score == after.score, task > after.task_id))


def _selected(project_key: str, version: str, wanted: Wanted) -> ColumnElement[bool]:
    """Return the condition on an answer that it is wanted."""
    conditions = [_own(project_key, version)]
    if wanted.low > 0:
        conditions.append(ANSWERS.c.score >= wanted.low)
    if wanted.high < 1:
        conditions.append(ANSWERS.c.score <= wanted.high)
    if wanted.changed:
        conditions.append(ANSWERS.c.changed)
    if wanted.look_alike is not None:
        conditions.append(ANSWERS.c.look_alike == wanted.look_alike)
    # Lists of tasks, each of which the database makes once.
    said = _labels(project_key, version, wanted.label)
    gold = select(GOLD_LABELS.c.task_id).where(GOLD_LABELS.c.project_key == project_key)
    # Those with gold are named first: else SQLite goes through the labels of all answers.
    judged = said.where(ANSWER_LABELS.c.task_id.in_(gold)).join(
        GOLD_LABELS,
        (GOLD_LABELS.c.project_key == ANSWER_LABELS.c.project_key)
        & (GOLD_LABELS.c.task_id == ANSWER_LABELS.c.task_id)
        & (GOLD_LABELS.c.label == ANSWER_LABELS.c.label),
    )
    wrong = judged.where(GOLD_LABELS.c.there != ANSWER_LABELS.c.given)
    task = ANSWERS.c.task_id
    if wanted.label and wanted.verdict in (None, Verdict.UNLABELLED):
        conditions.append(task.in_(said.where(ANSWER_LABELS.c.given)))
    if wanted.source:
        conditions.append(task.in_(said.where(ANSWER_LABELS.c.given, ANSWER_LABELS.c.source == wanted.source)))
    if wanted.verdict is Verdict.UNLABELLED:
        conditions.append(task.not_in(gold))
    elif wanted.verdict is Verdict.WRONG:
        conditions.append(task.in_(wrong))
    elif wanted.verdict and wanted.label:
        conditions.append(task.in_(judged.where(GOLD_LABELS.c.there, ANSWER_LABELS.c.given)))
    elif wanted.verdict:
        conditions += [task.in_(judged), task.not_in(wrong)]
    return and_(*conditions)


def _labels(project_key: str, version: str, label: str) -> Select[Any]:
    """Return the tasks of the labels of a version's answers; of one label alone, if it is not ""."""
    mine = (ANSWER_LABELS.c.project_key == project_key) & (ANSWER_LABELS.c.version == version)
    query = select(ANSWER_LABELS.c.task_id).where(mine)
    return query.where(ANSWER_LABELS.c.label == label) if label else query

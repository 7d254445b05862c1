"""Which unlabelled tasks may be proposed for review: the kept answers without those that a person has decided on."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from store.batches import Fate
from store.database import Database, among
from store.tables import ANNOTATIONS, ANSWERS, BATCH_PICTURES, TASKS

HELD = (Fate.WAITING, Fate.WRITTEN, Fate.CHANGED)
"""The fates after which a picture is not proposed again, whatever later versions say of it."""


@dataclass(frozen=True)
class Group:
    """Tasks that look alike and got the same labels: how many, and the mean probability that all labels are right.

    ``labels`` are the labels as the table has them (JSON); ``look_alike`` is the lowest task id of the look-alikes.
    """

    labels: str
    look_alike: int
    count: int
    score: float


class Screens:
    """Reads the tasks that may be proposed. Deleted and labelled ones may not, and neither may skipped ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def groups(self, project_key: str, version: str) -> list[Group]:
        """Return the groups of look-alikes of a version's answers, the surest first."""
        table, score = ANSWERS.c, func.avg(ANSWERS.c.score)
        query = (
            select(table.labels, table.look_alike, func.count(), score)
            .where(_is_proposed(project_key, version))
            .group_by(table.labels, table.look_alike)
            .order_by(score.desc(), table.look_alike)
        )
        with self._database.read() as connection:
            return [Group(*row) for row in connection.execute(query)]

    def tasks(self, project_key: str, version: str, labels: str, look_alikes: Collection[int], most: int) -> list[int]:
        """Return the tasks of these groups of the same labels, group by group, the surest of each group first."""
        table = ANSWERS.c
        query = select(table.task_id, table.look_alike).where(
            _is_proposed(project_key, version), table.labels == labels, among(table.look_alike, look_alikes)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(table.score.desc(), table.task_id)).all()
        place = {group: number for number, group in enumerate(look_alikes)}
        return [row.task_id for row in sorted(rows, key=lambda row: place[row.look_alike])][:most]

    def labels_of(self, project_key: str, version: str, task_ids: Collection[int]) -> dict[int, str]:
        """Return the labels (JSON) that a version gave to those of these tasks, at least one, that it answered."""
        return self._labels(_of(project_key, version), task_ids)

    def proposed(self, project_key: str, version: str, task_ids: Collection[int]) -> set[int]:
        """Return those of these tasks, at least one, that may be proposed now."""
        return set(self._labels(_is_proposed(project_key, version), task_ids))

    def _labels(self, where: ColumnElement[bool], task_ids: Collection[int]) -> dict[int, str]:
        query = select(ANSWERS.c.task_id, ANSWERS.c.labels).where(where, among(ANSWERS.c.task_id, task_ids))
        with self._database.read() as connection:
            return {row.task_id: row.labels for row in connection.execute(query)}


def _of(project_key: str, version: str) -> ColumnElement[bool]:
    return and_(ANSWERS.c.project_key == project_key, ANSWERS.c.version == version)


def _is_proposed(project_key: str, version: str) -> ColumnElement[bool]:
    # A list that is made once: to look for each answer's task takes SQLite longer than all else.
    gone = select(TASKS.c.task_id).where(TASKS.c.project_key == project_key, TASKS.c.deleted)
    is_labelled = exists().where(
        ANNOTATIONS.c.project_key == project_key,
        ANNOTATIONS.c.task_id == ANSWERS.c.task_id,
        ANNOTATIONS.c.deleted.is_(False),
    )
    # What a person took out, or what could not be written, comes again when a version says something else.
    is_decided = exists().where(
        BATCH_PICTURES.c.project_key == project_key,
        BATCH_PICTURES.c.task_id == ANSWERS.c.task_id,
        or_(
            BATCH_PICTURES.c.state.in_([*map(str, HELD)]),
            and_(BATCH_PICTURES.c.state != str(Fate.TAKEN_BACK), BATCH_PICTURES.c.labels == ANSWERS.c.labels),
        ),
    )
    return and_(_of(project_key, version), ANSWERS.c.task_id.not_in(gone), ~is_labelled, ~is_decided)

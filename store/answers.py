"""The answers of each project's served version, and of the version before, for all tasks whose picture was read.

Pages filter by them, and people compare two versions by them. A worker computes them (`worker.predictions.kept`).
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, select, update

from store.database import Database, among, now, over, upsert
from store.leases import Lease, verify
from store.state import chunks
from store.tables import ANSWERS, CURRENT, PROJECTS
from store.versioned import BULK, delete_others

# The longest time for which a second prediction must stay, in seconds.
LONGEST_S = 7200.0
# Made once, since each answer of the backend that is not in its memory is looked for. The range is that of `among`.
OF_TASKS = (
    select(ANSWERS)
    .where(
        ANSWERS.c.project_key == bindparam("project"),
        ANSWERS.c.version == bindparam("version"),
        ANSWERS.c.task_id.in_(bindparam("tasks", expanding=True)),
        ANSWERS.c.task_id.between(bindparam("least"), bindparam("most")),
    )
    .order_by(ANSWERS.c.task_id)
)

ShownBox = tuple[str, float, float, float, float, float]
"""A box: label, left, top, right and bottom in fractions of the picture, and its confidence in [0, 1]."""


@dataclass(frozen=True)
class Answer:
    """What one version says of one task.

    Args:
        item_key: the key of the features that were asked about; they change with the task's data.
        score: the probability in [0, 1] that all labels are right.
        labels: the given labels, in the order of the labelling config.
        look_alike: the id of the task that its group of look-alikes began with; its own id for the first one.
        changed: whether the version before gave other labels or boxes. False where it has no answer.
        size: width and height of the upright picture in pixels; (0, 0) without one.
    """

    task_id: int
    version: str
    item_key: str
    score: float
    labels: tuple[str, ...]
    probabilities: dict[str, float]
    boxes: tuple[ShownBox, ...]
    look_alike: int
    changed: bool
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Round:
    """A look at all tasks of a project, which several jobs may share. Another one begins when pictures were read.

    Args:
        number: how many rounds began before.
        upto: the last task that was looked at; -1 if none was.
        refreshed: what Label Studio has stored since the round began, as `set_refreshed` was told; "" for nothing, and
            for a project that is among the `crowded`.
    """

    number: int = 0
    upto: int = -1
    refreshed: str = ""


class Answers:
    """The table of answers, and the projects whose answers are due."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, project_key: str, answers: Sequence[Answer], lease: Lease) -> None:
        """Keep answers, in place of older ones. Raises LeaseLost if another holder has taken the lease."""
        rows = [
            {
                "project_key": project_key,
                "task_id": answer.task_id,
                "version": answer.version,
                "item_key": answer.item_key,
                "score": answer.score,
                "labels": json.dumps(answer.labels, ensure_ascii=False),
                "content": _content(answer),
                "look_alike": answer.look_alike,
                "changed": answer.changed,
            }
            for answer in answers
        ]
        for start in range(0, len(rows), BULK):
            with self._database.write() as connection:
                verify(connection, lease)
                upsert(connection, ANSWERS, rows[start : start + BULK])

    def of_tasks(self, project_key: str, version: str, task_ids: Collection[int]) -> dict[int, Answer]:
        """Return a version's answers to these tasks by id, without those that it has none for."""
        found: dict[int, Answer] = {}
        for part in chunks(sorted(task_ids)):
            asked = {"project": project_key, "version": version, "tasks": part, "least": part[0], "most": part[-1]}
            found |= {answer.task_id: answer for answer in self._read(OF_TASKS, asked)}
        return found

    def of_version(self, project_key: str, version: str) -> Iterator[Answer]:
        """Yield all answers of a version, in the order of task ids."""
        after = -1
        own = (ANSWERS.c.project_key == project_key) & (ANSWERS.c.version == version)
        query = select(ANSWERS).where(own).order_by(ANSWERS.c.task_id).limit(BULK)
        while part := self._read(query.where(ANSWERS.c.task_id > after)):
            yield from part
            after = part[-1].task_id

    def keys(self, project_key: str, version: str, task_ids: Collection[int]) -> dict[int, str]:
        """Return the keys of the features that a version was asked about, by task id."""
        own = (ANSWERS.c.project_key == project_key) & (ANSWERS.c.version == version)
        query = select(ANSWERS.c.task_id, ANSWERS.c.item_key).where(own)
        with self._database.read() as connection:
            return {
                row.task_id: row.item_key
                for part in chunks(sorted(task_ids))
                for row in connection.execute(query.where(among(ANSWERS.c.task_id, part)))
            }

    def versions(self, project_key: str) -> list[str]:
        """Return the versions of which answers are kept, the one whose answers came last first."""
        return self._begun(project_key)[1]

    def begin(self, project_key: str, version: str, config: str, lease: Lease) -> str:
        """Begin to keep the answers of a version to a labelling config; return the version before, or "".

        The answers of all other versions, and those to other configs, are deleted.
        """
        digest = hashlib.blake2b(config.encode(), digest_size=8).hexdigest()
        asked, known = self._begun(project_key)
        known = known if asked == digest else []
        kept = [version, *(other for other in known if other != version)][:2]
        begun: dict[str, Any] = {"answers_begun": json.dumps([digest, kept])}
        # Another version has answered no task yet, or others than the one before.
        if kept != known:
            begun["answered_upto"] = -1
        with self._database.write() as connection:
            verify(connection, lease)
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == project_key).values(**begun))
        delete_others(self._database, ANSWERS, project_key, kept if known else (), lease)
        return kept[1] if len(kept) > 1 else ""

    def _begun(self, project_key: str) -> tuple[str, list[str]]:
        """Return the digest of the labelling config that was asked about, and the versions that are kept."""
        query = select(PROJECTS.c.answers_begun).where(PROJECTS.c.key == project_key)
        with self._database.read() as connection:
            digest, versions = json.loads(connection.execute(query).scalar() or '["", []]')
        return digest, versions

    def drop(self, project_key: str, task_ids: Collection[int], lease: Lease) -> None:
        """Delete the answers to these tasks."""
        for part in chunks(sorted(task_ids)):
            with self._database.write() as connection:
                verify(connection, lease)
                own = (ANSWERS.c.project_key == project_key) & among(ANSWERS.c.task_id, part)
                connection.execute(delete(ANSWERS).where(own))

    def task_ids(self, project_key: str, after: int, upto: int) -> set[int]:
        """Return the tasks with ids in (after, upto] to which any version has an answer."""
        own = (ANSWERS.c.project_key == project_key) & (ANSWERS.c.task_id > after) & (ANSWERS.c.task_id <= upto)
        with self._database.read() as connection:
            return set(connection.execute(select(ANSWERS.c.task_id).where(own)).scalars())

    def make_due(self, project_key: str) -> None:
        """Let the next job look at all tasks for those without an answer, for example because pictures were read."""
        number = PROJECTS.c.answers_round + 1
        begun = {"answers_round": number, "answered_generation": -1, "answered_upto": -1, "refreshed": ""}
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == project_key).values(**begun))

    def round(self, project_key: str) -> Round:
        """Return how far the look at all tasks has come."""
        own = PROJECTS.c.key == project_key
        columns = PROJECTS.c.answers_round, PROJECTS.c.answered_upto, PROJECTS.c.refreshed
        with self._database.read() as connection:
            is_crowded = _is_crowded(connection).label("is_crowded")
            row = connection.execute(select(*columns, is_crowded).where(own)).one_or_none()
        if row is None:
            return Round()
        return Round(row.answers_round, row.answered_upto, "" if row.is_crowded else row.refreshed)

    def reach(self, project_key: str, number: int, task_id: int) -> None:
        """Record that a round has looked at the tasks up to this one; the next job goes on behind it."""
        self._note(project_key, number, answered_upto=task_id)

    def finish(self, project_key: str, number: int, generation: int) -> None:
        """Record that all tasks whose pictures are read have an answer of this generation of CURRENT."""
        self._note(project_key, number, answered_generation=generation, answered_upto=-1)

    def set_refreshed(self, project_key: str, number: int, what: str) -> None:
        """Record which predictions Label Studio has stored: a text that tells them from all others."""
        self._note(project_key, number, refreshed=what)

    def set_crowded(self, project_key: str, for_s: float | None) -> None:
        """Record that tasks keep a second prediction for so many seconds, or that no task does (None).

        A time that was recorded before stays until it is over.
        """
        mine = PROJECTS.c.key == project_key
        with self._database.write() as connection:
            until = 0.0
            if for_s is not None:
                until = now(connection) + for_s
                mine &= (PROJECTS.c.crowded_until == 0) | _is_crowded(connection)
            connection.execute(update(PROJECTS).where(mine).values(crowded_until=until))

    def crowded(self) -> list[str]:
        """Return the keys of projects with second predictions that no editor can have open any more."""
        with self._database.read() as connection:
            query = select(PROJECTS.c.key).where(_is_crowded(connection), PROJECTS.c.gone_at == 0)
            return list(connection.execute(query.order_by(PROJECTS.c.key)).scalars())

    def _note(self, project_key: str, number: int, **values: int | str) -> None:
        """Record what a round has done. If another one began meanwhile, that is not so any more."""
        mine = (PROJECTS.c.key == project_key) & (PROJECTS.c.answers_round == number)
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(mine).values(**values))

    def due(self) -> list[str]:
        """Return the keys of projects whose served version has not answered all tasks yet."""
        query = select(PROJECTS.c.key).join(CURRENT, CURRENT.c.project_key == PROJECTS.c.key)
        behind = query.where(CURRENT.c.generation > PROJECTS.c.answered_generation, PROJECTS.c.gone_at == 0)
        with self._database.read() as connection:
            return list(connection.execute(behind.order_by(PROJECTS.c.key)).scalars())

    def _read(self, query: Select[Any], asked: Mapping[str, object] | None = None) -> list[Answer]:
        with self._database.read() as connection:
            rows = connection.execute(query, asked).all()
        found = []
        for row in rows:
            probabilities, boxes, size = json.loads(row.content)
            found.append(
                Answer(
                    task_id=row.task_id,
                    version=row.version,
                    item_key=row.item_key,
                    score=row.score,
                    labels=tuple(json.loads(row.labels)),
                    probabilities=probabilities,
                    boxes=tuple((label, *numbers) for label, *numbers in boxes),
                    look_alike=row.look_alike,
                    changed=row.changed,
                    size=tuple(size),
                )
            )
        return found


def _is_crowded(connection: Connection) -> ColumnElement[bool]:
    """Return the condition that the time is over for which a project's second predictions must stay."""
    until = PROJECTS.c.crowded_until
    return (until > 0) & over(until, now(connection), LONGEST_S)


def _content(answer: Answer) -> str:
    """Return probabilities, boxes and size as compact JSON, with five decimals."""
    probabilities = {label: round(value, 5) for label, value in answer.probabilities.items()}
    boxes = [[label, *(round(number, 5) for number in numbers)] for label, *numbers in answer.boxes]
    return json.dumps([probabilities, boxes, answer.size], ensure_ascii=False, separators=(",", ":"))

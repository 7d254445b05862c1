"""Tasks whose pictures could not be read: why, and when their project's pictures are tried again.

A task's row stays until its picture has been read and the predictions that were made without it are rewritten.
"""

import json
from collections.abc import Collection, Mapping

from sqlalchemy import delete, func, select, update

from store.database import Database, among, now, over, upsert
from store.projects import LONGEST_BACKOFF_S
from store.state import chunks, lock_project
from store.tables import PROJECTS, TASKS, UNREAD_PICTURES
from store.values import storable

FIRST_PAUSE_S = 30.0  # seconds until unread pictures are tried again; each round that reads none doubles the pause

_OWN = UNREAD_PICTURES.c


class UnreadPictures:
    """The table of unread pictures, with the times of the next attempts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, project_key: str, reasons: Mapping[int, str]) -> list[str]:
        """Record why the pictures of tasks could not be read, and make a further attempt due.

        Returns the reasons that no task of the project had before. Nothing is recorded for a project that is not in the
        store.
        """
        if not reasons:
            return []
        reasons = {number: storable(reason) for number, reason in reasons.items()}
        with self._database.read() as connection:
            known: dict[int, str] = {}
            for part in chunks(sorted(reasons)):
                query = select(_OWN.task_id, _OWN.reason).where(_OWN.project_key == project_key)
                known |= {row.task_id: row.reason for row in connection.execute(query.where(among(_OWN.task_id, part)))}
        # Most attempts fail as the one before did; then no transaction that writes is needed.
        rows = [
            {"project_key": project_key, "task_id": number, "reason": reason}
            for number, reason in sorted(reasons.items())
            if known.get(number) != reason
        ]
        if not rows:
            return []
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return []
            query = select(_OWN.reason).where(_OWN.project_key == project_key).distinct()
            before = set(connection.execute(query).scalars())
            for some in chunks(rows):
                upsert(connection, UNREAD_PICTURES, some)
            first = {"pictures_pause": FIRST_PAUSE_S, "pictures_due_at": now(connection) + FIRST_PAUSE_S}
            idle = (PROJECTS.c.key == project_key) & (PROJECTS.c.pictures_due_at == 0)
            connection.execute(update(PROJECTS).where(idle).values(first))
        return [reason for reason in dict.fromkeys(str(row["reason"]) for row in rows) if reason not in before]

    def settle(self, project_key: str, ids: Collection[int]) -> None:
        """Delete the rows of tasks whose pictures are read and whose predictions are rewritten."""
        with self._database.write() as connection:
            lock_project(connection, project_key)
            for part in chunks(sorted(ids)):
                mine = (_OWN.project_key == project_key) & among(_OWN.task_id, part)
                connection.execute(delete(UNREAD_PICTURES).where(mine))

    def tasks(self, project_key: str) -> set[int]:
        """Return the ids of tasks whose pictures were unread when they were last tried."""
        with self._database.read() as connection:
            query = select(_OWN.task_id).where(_OWN.project_key == project_key)
            return set(connection.execute(query).scalars())

    def reasons(self, project_key: str) -> dict[str, int]:
        """Return each reason with the number of its tasks, without deleted tasks, the most frequent reason first."""
        count = func.count()
        there = (TASKS.c.project_key == _OWN.project_key) & (TASKS.c.task_id == _OWN.task_id)
        there &= TASKS.c.deleted.is_(False)
        query = select(_OWN.reason, count).join(TASKS, there).where(_OWN.project_key == project_key)
        with self._database.read() as connection:
            found = connection.execute(query.group_by(_OWN.reason).order_by(count.desc(), _OWN.reason)).all()
        return {str(reason): int(number) for reason, number in found}

    def begin_round(self, project_key: str) -> None:
        """Record that a round begins. If it ends before `finish_round`, another one is due after the longest pause."""
        with self._database.write() as connection:
            later = {"pictures_due_at": now(connection) + LONGEST_BACKOFF_S}
            is_waiting = (PROJECTS.c.key == project_key) & (PROJECTS.c.pictures_due_at > 0)
            connection.execute(update(PROJECTS).where(is_waiting).values(later))

    def finish_round(self, project_key: str, notes: Mapping[str, int], *, has_read: bool) -> None:
        """Record that each unread picture was tried, and when the next round is due, if any picture is still unread.

        Rows of tasks that are deleted meanwhile are deleted too. For ``notes`` see `Project.address_notes`.
        ``has_read``: the round read a picture, so the pause begins anew.
        """
        with self._database.write() as connection:
            lock_project(connection, project_key)
            mine = PROJECTS.c.key == project_key
            query = select(PROJECTS.c.pictures_pause, PROJECTS.c.unread_gold).where(mine)
            pause, unread_gold = connection.execute(query).one()
            there = select(TASKS.c.task_id).where(TASKS.c.project_key == project_key, TASKS.c.deleted.is_(False))
            own = _OWN.project_key == project_key
            connection.execute(delete(UNREAD_PICTURES).where(own, _OWN.task_id.not_in(there)))
            left = connection.execute(select(_OWN.task_id).where(own).limit(1)).first()
            pause = FIRST_PAUSE_S if has_read else min(LONGEST_BACKOFF_S, max(FIRST_PAUSE_S, 2 * pause))
            is_due = unread_gold or left is not None
            values = {
                "pictures_pause": pause if is_due else 0.0,
                "pictures_due_at": now(connection) + pause if is_due else 0.0,
                "address_notes": json.dumps(dict(notes), ensure_ascii=False),
            }
            connection.execute(update(PROJECTS).where(mine).values(values))

    def hasten(self) -> None:
        """Make a round due at once wherever pictures are unread, because settings may have changed."""
        with self._database.write() as connection:
            values = {"pictures_due_at": now(connection), "pictures_pause": 0.0}
            connection.execute(update(PROJECTS).where(PROJECTS.c.pictures_due_at > 0).values(values))

    def due(self) -> list[str]:
        """Return the keys of projects whose unread pictures are to be tried again now."""
        with self._database.read() as connection:
            at, mine = now(connection), PROJECTS.c.pictures_due_at
            query = select(PROJECTS.c.key).where(mine > 0, over(mine, at, LONGEST_BACKOFF_S), PROJECTS.c.gone_at == 0)
            return list(connection.execute(query.order_by(PROJECTS.c.key)).scalars())

"""The projects, with the state of their training, reconcile, presence and encoding."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, select, update

from store.database import Database, insert_missing, now, over
from store.leases import USUAL_S, Lease, lease_name, verify
from store.state import grow_gold_revision
from store.tables import ANNOTATIONS, CURRENT, LEASES, PROJECTS, TASKS

FREE_ATTEMPTS = 3  # starts of a training without a pause; if the training still crashes, it backs off
LONGEST_BACKOFF_S = 600.0
RESTS, MOST_RESTS = 5, 12  # times its own duration, and times the usual interval, until a reconcile by time is due
RECONCILE_PAUSE_S = 60.0  # seconds from the end of a reconcile to the next one; each failure doubles the pause


@dataclass(frozen=True)
class Project:
    """One project of one Label Studio. If gold_revision > trained_revision, no training has used the newest gold.

    ``unread_gold``: the number of tasks whose gold the last training used without the picture, or left out.
    ``gold_notes``: notes of the last training about annotations (``labelstudio.opinion``) → the number of tasks.
    ``reread_until``: versions created before this time may have learned from misread annotations; 0 once they are
    marked as such.
    ``gone_at``: the time since which Label Studio is known not to have the project; 0 while it has the project. No jobs
    run for a project that is gone.
    ``encode_cursor``: the id of the last task that an encoding has tried and from which it continues if its job ends
    early, negative in its second round; 0 if no encoding is unfinished.
    ``address_notes``: what the last encoding found about the places of pictures' addresses → the number of tasks.
    ``last_training``: what is kept of the last training that ended: ``seconds`` (stage → its duration) and ``weak``
    (label → the number of tasks without gold to which the weak labels give it).
    """

    key: str
    title: str
    label_config: str
    gold_revision: int
    trained_revision: int
    failure: str
    attempts: int
    retry_at: float
    reconciled_at: float
    industry_keys: tuple[str, ...] = ()
    unread_gold: int = 0
    gold_notes: Mapping[str, int] = field(default_factory=dict)
    reread_until: float = 0.0
    gone_at: float = 0.0
    encode_cursor: int = 0
    created_at: float = 0.0
    address_notes: Mapping[str, int] = field(default_factory=dict)
    last_training: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def has_new_gold(self) -> bool:
        """Whether the gold has changed since the last training."""
        return self.gold_revision > self.trained_revision


class Begun(NamedTuple):
    """A running reconcile: the task id up to which it has compared, and the time at which it began (store's clock)."""

    after: int
    at: float


class Projects:
    """All projects from which a request or event has ever arrived, including projects that are gone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, key: str, label_config: str, title: str = "") -> Project:
        """Return the project, created or updated with the label config that Label Studio has just sent.

        Callers call this before every task, so it writes only if the config or a title is new. An empty title is none.
        """
        known = self.get(key)
        if known and known.label_config == label_config and title in ("", known.title):
            return known
        with self._database.write() as connection:
            # The row is read again under a lock, since another process may have changed it.
            row = connection.execute(select(PROJECTS).where(PROJECTS.c.key == key).with_for_update()).first()
            if row is None:
                insert_project(connection, key, label_config, title, 0, now(connection))
                row = connection.execute(select(PROJECTS).where(PROJECTS.c.key == key)).one()
            named = {"title": title} if title else {}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(label_config=label_config, **named))
            if row.label_config != label_config:
                grow_gold_revision(connection, key)
            return _project(connection.execute(select(PROJECTS).where(PROJECTS.c.key == key)).one())

    def set_industry_keys(self, key: str, industry_keys: Sequence[str]) -> None:
        """Set the data keys of the industry. New keys change the features of all tasks, so a training becomes due."""
        with self._database.write() as connection:
            found = connection.execute(select(PROJECTS.c.industry_keys).where(PROJECTS.c.key == key)).scalar_one()
            if json.loads(found) != list(industry_keys):
                values = {"industry_keys": json.dumps(list(industry_keys))}
                connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))
                grow_gold_revision(connection, key)

    def get(self, key: str) -> Project | None:
        """Return a project, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(PROJECTS).where(PROJECTS.c.key == key)).first()
        return _project(row) if row else None

    def all(self) -> list[Project]:
        """Return all projects, in the order of their keys."""
        with self._database.read() as connection:
            return [_project(row) for row in connection.execute(select(PROJECTS).order_by(PROJECTS.c.key))]

    def waiting_for_training(self) -> list[str]:
        """Return the keys of projects with new gold that are not being trained and whose backoff is over."""
        with self._database.read() as connection:
            at = now(connection)
            query = (
                select(PROJECTS.c.key)
                .outerjoin(LEASES, LEASES.c.name == lease_name("train", "") + PROJECTS.c.key)
                .where(PROJECTS.c.gold_revision > PROJECTS.c.trained_revision, PROJECTS.c.gone_at == 0)
                .where(over(PROJECTS.c.retry_at, at, LONGEST_BACKOFF_S))
                .where(LEASES.c.expires_at.is_(None) | over(LEASES.c.expires_at, at, USUAL_S))
                .order_by(PROJECTS.c.key)
            )
            return list(connection.execute(query).scalars())

    def begin_attempt(self, key: str) -> None:
        """Count a start of training, so that a training that crashes each time is started less and less often."""
        with self._database.write() as connection:
            query = select(PROJECTS.c.attempts).where(PROJECTS.c.key == key)
            attempts = connection.execute(query).scalar_one() + 1
            pause = 0.0 if attempts <= FREE_ATTEMPTS else min(LONGEST_BACKOFF_S, 5.0 * 2 ** (attempts - FREE_ATTEMPTS))
            values = {"attempts": attempts, "retry_at": now(connection) + pause if pause else 0.0}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def forget_attempts(self, key: str) -> None:
        """Reset the backoff, because a training ended on request and not by a failure."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(attempts=0, retry_at=0.0))

    def fail_attempt(self, key: str, reason: str) -> None:
        """Store the reason why the last training failed, for the status page."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(failure=reason))

    def finish_training(
        self,
        key: str,
        revision: int,
        lease: Lease,
        *,
        unread: int = 0,
        notes: Mapping[str, int] | None = None,
        failure: str = "",
    ) -> None:
        """Record that a training has used the gold up to `revision`.

        For `unread` and `notes` see `Project.unread_gold` and `Project.gold_notes`; `failure` is the reason why there
        was nothing to train on although there is gold. Raises LeaseLost if another holder has taken the lease.
        """
        with self._database.write() as connection:
            verify(connection, lease)
            values = {
                "trained_revision": revision,
                "attempts": 0,
                "retry_at": 0.0,
                "failure": failure,
                "unread_gold": unread,
                "gold_notes": json.dumps(dict(notes or {}), ensure_ascii=False),
            }
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))
            if unread:
                # The pictures are tried again soon (`store.pictures`), and the gold is then trained on.
                idle = (PROJECTS.c.key == key) & (PROJECTS.c.pictures_due_at == 0)
                connection.execute(update(PROJECTS).where(idle).values(pictures_due_at=now(connection)))

    def note_training(self, key: str, kept: Mapping[str, Mapping[str, float]]) -> None:
        """Record what is kept of a training that has ended: `Project.last_training`."""
        with self._database.write() as connection:
            values = {"last_training": json.dumps(kept, ensure_ascii=False)}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def finish_rereading(self, key: str) -> None:
        """Record that all versions that learned from misread annotations are marked."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(reread_until=0.0))

    def note_presence(self, key: str, is_there: bool, title: str = "") -> None:
        """Record whether Label Studio has the project, and its title if given.

        If a project that was gone has returned, a reconcile is due.
        """
        with self._database.write() as connection:
            at, named = now(connection), PROJECTS.c.key == key
            if title:
                connection.execute(update(PROJECTS).where(named).values(title=title))
            if not is_there:
                connection.execute(update(PROJECTS).where(named, PROJECTS.c.gone_at == 0).values(gone_at=at))
            elif connection.execute(update(PROJECTS).where(named, PROJECTS.c.gone_at > 0).values(gone_at=0.0)).rowcount:
                ask_reconcile(connection, key, at)

    def reach_in_encoding(self, key: str, task_id: int) -> None:
        """Record that encoding has reached this task; 0 if it has finished. See `Project.encode_cursor`."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(encode_cursor=task_id))

    def in_encoding(self) -> list[str]:
        """Return the keys of projects whose encoding has not ended: its job runs, or was interrupted or killed."""
        query = select(PROJECTS.c.key).where(PROJECTS.c.encode_cursor != 0, PROJECTS.c.gone_at == 0)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(PROJECTS.c.key)).scalars())

    def gone(self) -> set[str]:
        """Return the keys of projects that Label Studio does not have, or no longer has."""
        with self._database.read() as connection:
            return set(connection.execute(select(PROJECTS.c.key).where(PROJECTS.c.gone_at > 0)).scalars())

    def gone_for(self, seconds: float) -> list[str]:
        """Return the keys of projects that Label Studio is known not to have for this long, in the order of keys."""
        with self._database.read() as connection:
            query = select(PROJECTS.c.key).where(
                PROJECTS.c.gone_at > 0, PROJECTS.c.gone_at <= now(connection) - seconds
            )
            return list(connection.execute(query.order_by(PROJECTS.c.key)).scalars())

    def request_training(self, key: str) -> None:
        """Make a training due although the gold is unchanged (a user pressed Start training)."""
        with self._database.write() as connection:
            grow_gold_revision(connection, key)

    def request_reconcile(self, key: str, *, urgent: bool = False) -> None:
        """Make a full reconcile due, at once if urgent. Unlike a job in Redis, this request cannot get lost."""
        with self._database.write() as connection:
            ask_reconcile(connection, key, now(connection), urgent=urgent)

    def waiting_for_reconcile(self, every: float) -> list[str]:
        """Return the keys of projects for which a reconcile is due and may begin (see `may_reconcile`).

        A reconcile is due when it was requested, or when the last one ended more than `every` seconds ago, or RESTS
        times as long as it took if that is longer, at most MOST_RESTS times `every`. With 0 only requests count.
        """
        with self._database.read() as connection:
            at = now(connection)
            is_due = PROJECTS.c.reconcile_asked_at > 0
            if every:
                # Below zero while one has begun and not ended.
                rest, most = RESTS * (PROJECTS.c.reconciled_at - PROJECTS.c.reconcile_began_at), MOST_RESTS * every
                pause = case((rest > most, most), (rest > every, rest), else_=every)
                is_due |= over(PROJECTS.c.reconciled_at + pause, at, pause)
            is_time = PROJECTS.c.reconcile_urgent | over(PROJECTS.c.reconcile_not_before, at, LONGEST_BACKOFF_S)
            query = select(PROJECTS.c.key).where(is_due, is_time, PROJECTS.c.gone_at == 0)
            return list(connection.execute(query.order_by(PROJECTS.c.key)).scalars())

    def may_reconcile(self, key: str) -> bool:
        """Return whether a reconcile may begin now: it is not postponed, or it was requested as urgent."""
        with self._database.read() as connection:
            later = PROJECTS.c.reconcile_not_before
            is_time = PROJECTS.c.reconcile_urgent | over(later, now(connection), LONGEST_BACKOFF_S)
            return connection.execute(select(PROJECTS.c.key).where(PROJECTS.c.key == key, is_time)).first() is not None

    def begin_reconcile(self, key: str) -> Begun:
        """Begin a reconcile, or continue an interrupted one; a reconcile requested after the beginning stays due."""
        with self._database.write() as connection:
            row = connection.execute(select(PROJECTS).where(PROJECTS.c.key == key).with_for_update()).one()
            at = now(connection)
            # A beginning in the future shows that the clock was set back; then the reconcile starts again.
            if row.reconcile_cursor and row.reconcile_began_at <= at:
                return Begun(row.reconcile_cursor, row.reconcile_began_at)
            asked_at = min(row.reconcile_asked_at, at)
            values = {
                "reconcile_cursor": 0,
                "reconcile_began_at": at,
                "reconcile_not_before": at,
                "reconcile_urgent": False,
                "reconcile_asked_at": asked_at,
            }
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))
            # Rows last seen in the future were seen before the clock was set back. They would never count as settled,
            # and each reconcile would leave them to the next one.
            for table in (TASKS, ANNOTATIONS):
                ahead = (table.c.project_key == key) & (table.c.seen_at > at)
                connection.execute(update(table).where(ahead).values(seen_at=at))
            return Begun(0, at)

    def reach_in_reconcile(self, key: str, task_id: int, lease: Lease) -> None:
        """Record that tasks up to this one are compared. Raises LeaseLost if another holder has taken the lease."""
        with self._database.write() as connection:
            verify(connection, lease)
            values = {"reconcile_cursor": task_id, "reconcile_failures": 0}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def finish_reconcile(self, key: str, lease: Lease) -> None:
        """Record that all tasks are compared; requests made since the beginning stay due. Raises LeaseLost as above."""
        asked, began_at = PROJECTS.c.reconcile_asked_at, PROJECTS.c.reconcile_began_at
        with self._database.write() as connection:
            verify(connection, lease)
            at = now(connection)
            values = {
                "reconcile_cursor": 0,
                "reconcile_failures": 0,
                "reconciled_at": at,
                # If the clock was set back meanwhile, the order of request and beginning is unknown. Then the request
                # stays due, because an additional reconcile does no harm.
                "reconcile_asked_at": case(((asked > began_at) | (began_at > at), asked), else_=0.0),
                # A request that became urgent since the beginning does not wait for this time.
                "reconcile_not_before": at + RECONCILE_PAUSE_S,
            }
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def postpone_reconcile(self, key: str, *, of_all: bool = False) -> None:
        """Postpone a failed reconcile, which later continues where it stopped.

        The pause doubles with each failure until a reconcile compares at least one more page. ``of_all`` says that
        Label Studio did not answer, so all projects of its connection wait, except those with an urgent request.
        """
        with self._database.write() as connection:
            if of_all:
                until, later = now(connection) + RECONCILE_PAUSE_S, PROJECTS.c.reconcile_not_before
                others = PROJECTS.c.key.startswith(key.partition("/")[0] + "/", autoescape=True)
                others &= (later < until) & ~PROJECTS.c.reconcile_urgent
                # The rows are locked in the same order as in the journal, so that the two cannot deadlock.
                connection.execute(select(PROJECTS.c.key).where(others).order_by(PROJECTS.c.key).with_for_update())
                connection.execute(update(PROJECTS).where(others).values(reconcile_not_before=until))
            query = select(PROJECTS.c.reconcile_failures).where(PROJECTS.c.key == key).with_for_update()
            failures = connection.execute(query).scalar_one()
            pause = min(LONGEST_BACKOFF_S, RECONCILE_PAUSE_S * 2 ** min(failures, 9))
            until = now(connection) + pause
            values = {"reconcile_failures": failures + 1, "reconcile_not_before": until, "reconcile_urgent": False}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def waiting_for_offer(self) -> list[str]:
        """Return the keys of projects whose CURRENT version Label Studio's uncertainty sampling does not use yet."""
        query = select(PROJECTS.c.key).join(CURRENT, CURRENT.c.project_key == PROJECTS.c.key)
        behind = query.where(CURRENT.c.generation > PROJECTS.c.offered_generation, PROJECTS.c.gone_at == 0)
        with self._database.read() as connection:
            return list(connection.execute(behind.order_by(PROJECTS.c.key)).scalars())

    def set_offered(self, key: str, generation: int) -> None:
        """Record that uncertainty sampling uses this generation of CURRENT."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(offered_generation=generation))


def insert_project(connection: Connection, key: str, label_config: str, title: str, config_us: int, at: float) -> bool:
    """Insert a project's row, with a reconcile due; return False if the project already has a row."""
    row = {
        "key": key,
        "title": title,
        "label_config": label_config,
        "config_us": config_us,
        "gold_revision": 0,
        "trained_revision": 0,
        "next_number": 1,
        "attempts": 0,
        "retry_at": 0.0,
        "failure": "",
        "reconciled_at": 0.0,
        "reconcile_cursor": 0,
        "reconcile_asked_at": at,
        "reconcile_began_at": 0.0,
        "reconcile_not_before": 0.0,
        "reconcile_failures": 0,
        "offered_generation": 0,
        "created_at": at,
        "industry_keys": "[]",
        "unread_gold": 0,
        "gold_notes": "{}",
        "reread_until": 0.0,
        "gone_at": 0.0,
        "encode_cursor": 0,
        "reconcile_urgent": False,
        "pictures_due_at": 0.0,
        "pictures_pause": 0.0,
        "address_notes": "{}",
        "last_training": "{}",
    }
    return insert_missing(connection, PROJECTS, row)


def ask_reconcile(connection: Connection, key: str, at: float, *, urgent: bool = False) -> None:
    """Make a full reconcile due; it stays due until a reconcile that began after `at` has ended."""
    asked = PROJECTS.c.reconcile_asked_at
    values: dict[str, Any] = {"reconcile_asked_at": case((asked > at, asked), else_=at)}
    if urgent:
        values["reconcile_urgent"] = True
    connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))


def _project(row: Row[Any]) -> Project:
    """Return a row as a Project; some fields are stored as JSON."""
    fields = {name: row._mapping[name] for name in Project.__dataclass_fields__}
    decoded = {
        "industry_keys": tuple(json.loads(fields["industry_keys"])),
        "gold_notes": json.loads(fields["gold_notes"]),
        "address_notes": json.loads(fields["address_notes"]),
        "last_training": json.loads(fields["last_training"]),
    }
    return Project(**{**fields, **decoded})

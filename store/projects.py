"""Projects: their label config, and how far training is behind their gold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, select, update

from store.database import Database, insert_missing, now, over
from store.leases import USUAL_S, Lease, verify
from store.state import grow_gold_revision
from store.tables import ANNOTATIONS, CURRENT, LEASES, PROJECTS, TASKS

FREE_ATTEMPTS = 3  # tries at once after a crash; a training that keeps dying then backs off
LONGEST_BACKOFF_S = 600.0
RECONCILE_PAUSE_S = (
    60.0  # between the end of one and the begin of the next that an event asked for; doubled by failures
)


@dataclass(frozen=True)
class Project:
    """One project of one Label Studio; gold_revision > trained_revision: there is gold that no training has seen.

    ``unread_gold``: tasks whose gold the last training had to take without their pictures, or leave out.
    ``gold_notes``: what the last training found unknown or overruled in annotations → in how many tasks.
    ``reread_until``: versions older than this may have learned from misread annotations; 0 once they are marked.
    ``gone_at``: when Label Studio was found not to have the project; 0 while it has it. A gone one rests.
    ``encode_cursor``: the task up to which a reading of pictures has come that was ended early, negative in its second
    round; 0 when none was.
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

    @property
    def has_new_gold(self) -> bool:
        return self.gold_revision > self.trained_revision


class Begun(NamedTuple):
    """A reconcile: the task id up to which it has compared, and when it began (by the store's clock)."""

    after: int
    at: float


class Projects:
    """All projects that Label Studio has ever shown us."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, key: str, label_config: str, title: str = "") -> Project:
        """The project under this label config, which Label Studio has just sent and which therefore holds.

        Called before every task: it writes only when the config is new.
        """
        known = self.get(key)
        if known and known.label_config == label_config:
            return known
        with self._database.write() as connection:
            row = connection.execute(select(PROJECTS).where(PROJECTS.c.key == key).with_for_update()).first()
            if row is None:
                insert_project(connection, key, label_config, title, 0, now(connection))
            elif row.label_config != label_config:
                connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(label_config=label_config))
                grow_gold_revision(connection, key)
            return _project(connection.execute(select(PROJECTS).where(PROJECTS.c.key == key)).one())

    def set_industry_keys(self, key: str, industry_keys: Sequence[str]) -> None:
        """Where this project's tasks hold their industry; with other keys than before all its items look different."""
        with self._database.write() as connection:
            found = connection.execute(select(PROJECTS.c.industry_keys).where(PROJECTS.c.key == key)).scalar_one()
            if json.loads(found) != list(industry_keys):
                values = {"industry_keys": json.dumps(list(industry_keys))}
                connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))
                grow_gold_revision(connection, key)

    def get(self, key: str) -> Project | None:
        with self._database.read() as connection:
            row = connection.execute(select(PROJECTS).where(PROJECTS.c.key == key)).first()
        return _project(row) if row else None

    def all(self) -> list[Project]:
        with self._database.read() as connection:
            return [_project(row) for row in connection.execute(select(PROJECTS).order_by(PROJECTS.c.key))]

    def waiting_for_training(self) -> list[str]:
        """Keys of projects with new gold that nobody trains on right now and whose backoff is over."""
        with self._database.read() as connection:
            at = now(connection)
            query = (
                select(PROJECTS.c.key)
                .outerjoin(LEASES, LEASES.c.name == "train:" + PROJECTS.c.key)
                .where(PROJECTS.c.gold_revision > PROJECTS.c.trained_revision, PROJECTS.c.gone_at == 0)
                .where(over(PROJECTS.c.retry_at, at, LONGEST_BACKOFF_S))
                .where(LEASES.c.expires_at.is_(None) | over(LEASES.c.expires_at, at, USUAL_S))
                .order_by(PROJECTS.c.key)
            )
            return list(connection.execute(query).scalars())

    def begin_attempt(self, key: str) -> None:
        """Count a start of training, so that one that dies each time is tried ever more rarely."""
        with self._database.write() as connection:
            query = select(PROJECTS.c.attempts).where(PROJECTS.c.key == key)
            attempts = connection.execute(query).scalar_one() + 1
            pause = 0.0 if attempts <= FREE_ATTEMPTS else min(LONGEST_BACKOFF_S, 5.0 * 2 ** (attempts - FREE_ATTEMPTS))
            values = {"attempts": attempts, "retry_at": now(connection) + pause if pause else 0.0}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def forget_attempts(self, key: str) -> None:
        """A training was ended on request: that speaks for no backing off."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(attempts=0, retry_at=0.0))

    def fail_attempt(self, key: str, reason: str) -> None:
        """Remember why the last training failed, for the status page."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(failure=reason))

    def finish_training(
        self, key: str, revision: int, lease: Lease, *, unread: int = 0, notes: Mapping[str, int] | None = None
    ) -> None:
        """All gold up to `revision` has been trained on, that of `unread` tasks without their pictures or not at all.

        `notes`: see `Project.gold_notes`. LeaseLost when somebody else has taken over.
        """
        with self._database.write() as connection:
            verify(connection, lease)
            values = {
                "trained_revision": revision,
                "attempts": 0,
                "retry_at": 0.0,
                "failure": "",
                "unread_gold": unread,
                "gold_notes": json.dumps(dict(notes or {}), ensure_ascii=False),
            }
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def finish_rereading(self, key: str) -> None:
        """Versions that learned from misread annotations are marked."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(reread_until=0.0))

    def note_presence(self, key: str, is_there: bool) -> None:
        """Whether Label Studio has the project, as it has just said; one that is there again is compared with it."""
        with self._database.write() as connection:
            at, named = now(connection), PROJECTS.c.key == key
            if not is_there:
                connection.execute(update(PROJECTS).where(named).values(gone_at=at))
            elif connection.execute(update(PROJECTS).where(named, PROJECTS.c.gone_at > 0).values(gone_at=0.0)).rowcount:
                ask_reconcile(connection, key, at)

    def reach_in_encoding(self, key: str, task_id: int) -> None:
        """Pictures of tasks up to this one were read, or tried; 0: of all of them. See `Project.encode_cursor`."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(encode_cursor=task_id))

    def gone(self) -> set[str]:
        """Keys of projects that Label Studio does not have (any more)."""
        with self._database.read() as connection:
            return set(connection.execute(select(PROJECTS.c.key).where(PROJECTS.c.gone_at > 0)).scalars())

    def request_training(self, key: str) -> None:
        """Make the next training due although the gold is the same (somebody pressed Start training)."""
        with self._database.write() as connection:
            grow_gold_revision(connection, key)

    def request_reconcile(self, key: str, *, urgent: bool = False) -> None:
        """Make a whole reconcile due, at once if urgent: wake-ups get lost with Redis, this does not."""
        with self._database.write() as connection:
            ask_reconcile(connection, key, now(connection), urgent=urgent)

    def waiting_for_reconcile(self, every: float) -> list[str]:
        """Keys of projects for which one was asked, or whose last one is over `every` seconds ago (0: no matter)."""
        with self._database.read() as connection:
            at = now(connection)
            is_due = PROJECTS.c.reconcile_asked_at > 0
            if every:
                is_due |= over(PROJECTS.c.reconciled_at + every, at, every)
            is_time = over(PROJECTS.c.reconcile_not_before, at, LONGEST_BACKOFF_S)
            query = select(PROJECTS.c.key).where(is_due, is_time, PROJECTS.c.gone_at == 0)
            return list(connection.execute(query.order_by(PROJECTS.c.key)).scalars())

    def may_reconcile(self, key: str) -> bool:
        """Whether none is postponed."""
        with self._database.read() as connection:
            is_time = over(PROJECTS.c.reconcile_not_before, now(connection), LONGEST_BACKOFF_S)
            return connection.execute(select(PROJECTS.c.key).where(PROJECTS.c.key == key, is_time)).first() is not None

    def begin_reconcile(self, key: str) -> Begun:
        """Begin one, or go on with one that was interrupted, however many were asked for since: those come after it."""
        with self._database.write() as connection:
            row = connection.execute(select(PROJECTS).where(PROJECTS.c.key == key).with_for_update()).one()
            at = now(connection)
            if row.reconcile_cursor and row.reconcile_began_at <= at:
                return Begun(row.reconcile_cursor, row.reconcile_began_at)
            asked_at = min(row.reconcile_asked_at, at)
            values = {
                "reconcile_cursor": 0,
                "reconcile_began_at": at,
                "reconcile_not_before": at,
                "reconcile_asked_at": asked_at,
            }
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))
            # Heard of before the clock was set back: else each run would leave it to the next.
            for table in (TASKS, ANNOTATIONS):
                ahead = (table.c.project_key == key) & (table.c.seen_at > at)
                connection.execute(update(table).where(ahead).values(seen_at=at))
            return Begun(0, at)

    def reach_in_reconcile(self, key: str, task_id: int, lease: Lease) -> None:
        """Tasks up to this one are compared. LeaseLost when somebody else has taken over."""
        with self._database.write() as connection:
            verify(connection, lease)
            values = {"reconcile_cursor": task_id, "reconcile_failures": 0}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def finish_reconcile(self, key: str, lease: Lease) -> None:
        """All tasks are compared; what was asked for since it began stays asked for. LeaseLost as above."""
        asked, not_before = PROJECTS.c.reconcile_asked_at, PROJECTS.c.reconcile_not_before
        began_at = PROJECTS.c.reconcile_began_at
        with self._database.write() as connection:
            verify(connection, lease)
            at = now(connection)
            values = {
                "reconcile_cursor": 0,
                "reconcile_failures": 0,
                "reconciled_at": at,
                # Where the clock was set back meanwhile, nobody can tell which came first: one more does no harm.
                "reconcile_asked_at": case(((asked > began_at) | (began_at > at), asked), else_=0.0),
                # 0: somebody has asked urgently since it began
                "reconcile_not_before": case((not_before > 0, at + RECONCILE_PAUSE_S), else_=0.0),
            }
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def postpone_reconcile(self, key: str, *, of_all: bool = False) -> None:
        """It failed: go on later where it stopped, ever later while no page more is compared.

        ``of_all``: its Label Studio did not answer, so all projects of the connection wait, but those that were asked
        for urgently.
        """
        with self._database.write() as connection:
            if of_all:
                until, later = now(connection) + RECONCILE_PAUSE_S, PROJECTS.c.reconcile_not_before
                is_urgent = (later == 0) & (PROJECTS.c.reconciled_at > 0)
                others = PROJECTS.c.key.startswith(key.partition("/")[0] + "/", autoescape=True)
                others &= (later < until) & ~is_urgent
                # In the order in which the journal locks them.
                connection.execute(select(PROJECTS.c.key).where(others).order_by(PROJECTS.c.key).with_for_update())
                connection.execute(update(PROJECTS).where(others).values(reconcile_not_before=until))
            query = select(PROJECTS.c.reconcile_failures).where(PROJECTS.c.key == key).with_for_update()
            failures = connection.execute(query).scalar_one()
            pause = min(LONGEST_BACKOFF_S, RECONCILE_PAUSE_S * 2 ** min(failures, 9))
            values = {"reconcile_failures": failures + 1, "reconcile_not_before": now(connection) + pause}
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))

    def waiting_for_offer(self) -> list[str]:
        """Keys of projects whose CURRENT version Label Studio's uncertainty sampling does not go by yet."""
        query = select(PROJECTS.c.key).join(CURRENT, CURRENT.c.project_key == PROJECTS.c.key)
        behind = query.where(CURRENT.c.generation > PROJECTS.c.offered_generation, PROJECTS.c.gone_at == 0)
        with self._database.read() as connection:
            return list(connection.execute(behind.order_by(PROJECTS.c.key)).scalars())

    def set_offered(self, key: str, generation: int) -> None:
        """Uncertainty sampling goes by this generation of CURRENT now."""
        with self._database.write() as connection:
            connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(offered_generation=generation))


def insert_project(connection: Connection, key: str, label_config: str, title: str, config_us: int, at: float) -> bool:
    """A project's first row, with a reconcile due; False and nothing when it has one."""
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
    }
    return insert_missing(connection, PROJECTS, row)


def ask_reconcile(connection: Connection, key: str, at: float, *, urgent: bool = False) -> None:
    """Make a whole reconcile due, which stays due until one that began after `at` is done."""
    asked = PROJECTS.c.reconcile_asked_at
    values: dict[str, Any] = {"reconcile_asked_at": case((asked > at, asked), else_=at)}
    if urgent:
        values["reconcile_not_before"] = 0.0
    connection.execute(update(PROJECTS).where(PROJECTS.c.key == key).values(values))


def _project(row: Row[Any]) -> Project:
    fields = {name: row._mapping[name] for name in Project.__dataclass_fields__}
    decoded = {
        "industry_keys": tuple(json.loads(fields["industry_keys"])),
        "gold_notes": json.loads(fields["gold_notes"]),
    }
    return Project(**{**fields, **decoded})

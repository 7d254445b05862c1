"""Whether each project's webhooks arrive: what was found wrong with them, and labels that came without one."""

from dataclasses import dataclass

from sqlalchemy import case, exists, select, update

from store.database import Database, insert_missing, now
from store.state import lock_project
from store.tables import EVENTS, PROJECTS, WEBHOOKS

# The one action that does not come by webhook: the button reaches the backend by another way.
NOT_BY_WEBHOOK = "START_TRAINING"
# Seconds by which an event may be recorded before the time that Label Studio gives its annotation.
SLACK_S = 5.0


@dataclass(frozen=True)
class WebhookState:
    """One project's webhook. Times are by the store's clock; 0: never.

    ``trouble`` is a short name of what is wrong, ``words`` say it with how to mend it; both are empty when nothing is.
    ``missed`` counts labels that no webhook told since the last event, ``missed_until`` is when the newest was made, or
    when the webhook was put right: labels that were made before say nothing about it.
    ``is_compared``: a reconcile has ended since the webhook was switched on.
    """

    trouble: str = ""
    words: str = ""
    switched_on_at: float = 0.0
    missed: int = 0
    missed_until: float = 0.0
    is_compared: bool = True


class Webhooks:
    """The table of webhooks, a row for each project of which there is something to say."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, WebhookState]:
        """Return the states by project key, without those of projects that are gone."""
        arrived = exists().where(
            EVENTS.c.project_key == WEBHOOKS.c.project_key,
            EVENTS.c.received_at > WEBHOOKS.c.missed_until - SLACK_S,
            EVENTS.c.action != NOT_BY_WEBHOOK,
        )
        query = (
            select(
                WEBHOOKS,
                case((WEBHOOKS.c.missed == 0, True), else_=arrived).label("arrives"),
                PROJECTS.c.reconciled_at,
            )
            .join(PROJECTS, PROJECTS.c.key == WEBHOOKS.c.project_key)
            .where(PROJECTS.c.gone_at == 0)
        )
        with self._database.read() as connection:
            return {
                row.project_key: WebhookState(
                    row.trouble,
                    row.words,
                    row.switched_on_at,
                    0 if row.arrives else row.missed,
                    row.missed_until,
                    row.reconciled_at > row.switched_on_at or not row.switched_on_at,
                )
                for row in connection.execute(query)
            }

    def note(self, project_key: str, trouble: str, words: str) -> None:
        """Record what is wrong with a project's webhook; two empty texts say that it was put right."""
        explained = {} if trouble else self._explained()
        self._change(project_key, trouble=trouble, words=words, **explained)

    def note_switched_on(self, project_key: str) -> None:
        """Record that the webhook was switched on now."""
        explained = self._explained()
        at = explained["missed_until"]
        self._change(project_key, trouble="", words="", switched_on_at=at, **explained)

    def note_missed(self, project_key: str, labels: int, until: float) -> None:
        """Record labels that no webhook told; ``until`` is when the newest of them was made."""
        before = self.all().get(project_key, WebhookState())
        if not before.missed and until <= before.missed_until:
            return  # made before the webhook was put right, or before an event that came
        self._change(project_key, missed=before.missed + labels, missed_until=max(before.missed_until, until))

    def _explained(self) -> dict[str, float]:
        """Return the values by which labels that were made until now say nothing about the webhook."""
        with self._database.read() as connection:
            return {"missed": 0, "missed_until": now(connection)}

    def _change(self, project_key: str, **values: object) -> None:
        with self._database.write() as connection:
            if not lock_project(connection, project_key):
                return
            row = {"trouble": "", "words": "", "switched_on_at": 0.0, "missed": 0, "missed_until": 0.0}
            insert_missing(connection, WEBHOOKS, {"project_key": project_key, **row})
            connection.execute(update(WEBHOOKS).where(WEBHOOKS.c.project_key == project_key).values(**values))

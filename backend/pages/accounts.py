"""What an account of Label Studio sees: its projects, asked with the person's own token and kept for a minute."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backend.pages.sessions import Session
from labelstudio.annotations import AnnotationClient
from labelstudio.api import LabelStudioError
from labelstudio.connection import Connection
from labelstudio.kept import Kept
from labelstudio.project import ProjectKey
from tagloom_base import clock

KEPT_S = 60.0
# Seconds after which a Label Studio that did not answer is asked again.
PAUSE_S = 10.0
# Seconds for which what an account saw last counts while its Label Studio does not answer.
AWAY_S = 600.0
TIMEOUT_S = 8.0
MOST = 1_000  # accounts whose projects are kept
FIELDS = ("id", "title", "created_at")


class Refused(Exception):  # noqa: N818 - it says what happened
    """Label Studio does not accept the token (any more)."""


@dataclass(frozen=True)
class Account:
    """The projects that an account sees: title by project key, as Label Studio said at ``asked_at``.

    ``problem`` says why it did not answer when it was asked again, and ``again_at`` when it is asked next; both times
    are of ``clock.monotonic()``.
    """

    projects: Mapping[str, str]
    asked_at: float
    again_at: float
    problem: str = ""


class Accounts:
    """Asks the configured Label Studios. Threads may share it."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self.connections = {name: one for name, one in connections.items() if one.url}
        self._kept: Kept[str, Account] = Kept(MOST, MOST)

    def person(self, connection: str, token: str) -> str:
        """Return the e-mail address of the token's owner. Raises Refused, and LabelStudioError when nobody can say."""
        with _Asking(self.connections[connection], token) as client:
            found = client.person()
        return str(found.get("email") or found.get("username") or f"user {found.get('id')}")

    def of(self, session: Session) -> Account:
        """Return what the person's account sees.

        Raises Refused when the token is not valid any more, and LabelStudioError when Label Studio has not answered
        for AWAY_S seconds.
        """
        known, now = self._kept.get(session.hash), clock.monotonic()
        if known is not None and now < known.again_at:
            return known
        if session.connection not in self.connections:
            raise Refused
        try:
            with _Asking(self.connections[session.connection], session.token) as client:
                found = dict(_named(one, session.connection) for one in client.projects(*FIELDS))
        except LabelStudioError as error:
            if known is None or now > known.asked_at + AWAY_S:
                raise
            account = replace(known, again_at=now + PAUSE_S, problem=str(error))
        else:
            account = Account(found, now, now + KEPT_S)
        self._kept.put(session.hash, account, 1)
        return account

    def client(self, session: Session) -> AnnotationClient:
        """Return a client that asks as this person; the caller closes it. Raises Refused without such a connection."""
        if session.connection not in self.connections:
            raise Refused
        return _client(self.connections[session.connection], session.token)

    def forget(self, session: Session) -> None:
        """Forget what a person saw who signs out."""
        self._kept.drop(session.hash)


class _Asking:
    """The context of a client with a person's token, which no other request uses."""

    def __init__(self, connection: Connection, token: str) -> None:
        self._client = _client(connection, token)

    def __enter__(self) -> AnnotationClient:
        return self._client

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._client.close()
        if isinstance(error, LabelStudioError) and error.status in (400, 401, 403):
            raise Refused from error


def _client(connection: Connection, token: str) -> AnnotationClient:
    client = AnnotationClient(replace(connection, token=type(connection.token)("")), timeout=TIMEOUT_S)
    # Offered, not configured: the token is kept out of the logs for a while, and in no list that grows for ever.
    client.offer_token(token)
    return client


def _named(project: Mapping[str, Any], connection: str) -> tuple[str, str]:
    """Return the key and the title of a project object. Raises LabelStudioError for one without a time."""
    try:
        created = int(datetime.fromisoformat(str(project["created_at"])).timestamp())
        return str(ProjectKey(connection, int(project["id"]), created)), str(project.get("title") or "")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise LabelStudioError("a project has no readable id and created_at; use Label Studio 1.23.2") from error

"""The key of a project: connection, project id and creation time.

Label Studio names a project ``"2.1795288797"`` in /setup and /predict and ``{"id": 2, "created_at": ...}`` in webhooks.
The key contains the connection and the creation second, because another Label Studio may use the same id.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

DEFAULT_CONNECTION = "default"
_KEY = re.compile(r"([A-Za-z0-9_-]{1,40})/(\d{1,18})\.(\d{1,18})", re.ASCII)


@dataclass(frozen=True, order=True)
class ProjectKey:
    """One project of one Label Studio; ``str(key)`` is ``default/2.1795288797``."""

    connection: str
    id: int
    created: int  # unix seconds

    @classmethod
    def parse(cls, text: str) -> "ProjectKey":
        """Read ``connection/id.created``; ValueError for anything else."""
        match = _KEY.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is no project key; write it as connection/id.created, e.g. default/2.1795288797"
            )
        return cls(match[1], int(match[2]), int(match[3]))

    @classmethod
    def of_request(cls, project: str, connection: str = DEFAULT_CONNECTION) -> "ProjectKey":
        """Read the ``project`` field of /setup and /predict, e.g. ``2.1795288797``. Raises ValueError."""
        number, _, created = project.partition(".")
        return cls.parse(f"{connection}/{number}.{created or 0}")

    @classmethod
    def of_webhook(cls, project: Mapping[str, Any], connection: str = DEFAULT_CONNECTION) -> "ProjectKey":
        """Read a webhook's ``project`` object; the key equals the one from /setup. Raises ValueError."""
        try:
            created = datetime.fromisoformat(str(project["created_at"]))
            return cls.parse(f"{connection}/{int(project['id'])}.{int(created.timestamp())}")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError("the webhook's project needs 'id' and 'created_at'") from error

    def __str__(self) -> str:
        return f"{self.connection}/{self.id}.{self.created}"


def file_name(project_key: str) -> str:
    """Return a project key as the name of a file. No two keys have the same name, because it ends in both numbers."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", project_key)

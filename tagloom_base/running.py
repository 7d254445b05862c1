"""The processes that run in a home folder: marks that tell a process from a later one, and the backend's own note.

The note names a process and holds no setting. Who may read that process's environment (its user and root) gets its
settings from there, so that no secret lies on the disk and no setting is ever out of date.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, TypeAdapter, ValidationError

from tagloom_base.errors import UserError
from tagloom_base.files import replaced
from tagloom_base.settings import is_setting

FILE = "backend.json"


class Mark(BaseModel):
    """One process: its id, and its start time, because the system uses ids again."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Mark | None":
        """Return the mark of a running process, or None when no process has this id."""
        try:
            return cls(pid=pid, started=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    @property
    def alive(self) -> bool:
        now = Mark.of(self.pid)
        # The start time is computed from the boot time, which can differ a little between two readings.
        return now is not None and abs(now.started - self.started) < 2


_MARKS = TypeAdapter(list[Mark])


@dataclass(frozen=True)
class Backend:
    """A running backend: its process, the folder it was started in, and the variables of its settings."""

    pid: int
    folder: Path
    variables: Mapping[str, str]


def note_backend(home: Path) -> None:
    """Note this process as a backend of the home.

    The note is never removed: SIGTERM gives no time for it, and who reads it looks whether the process is alive.
    """
    own = Mark.of(os.getpid())
    assert own
    # On a full disk the backend answers all the same.
    with suppress(OSError), replaced(home / FILE) as beside:
        beside.write_bytes(_MARKS.dump_json([*_alive(home), own]))


def backend(home: Path) -> Backend | None:
    """Return the backend that runs in this home on this machine, of several the last, or None.

    Raises UserError when it is another user's.
    """
    for mark in reversed(_alive(home)):
        try:
            process = psutil.Process(mark.pid)
            return Backend(mark.pid, Path(process.cwd()), settings_in(process.environ()))
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as refused:
            raise UserError(
                f"the settings of the backend that runs here (process {mark.pid}) can be read by its own user alone: "
                "run this command as that user"
            ) from refused
    return None


def settings_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that settings come from."""
    return {name: value for name, value in environment.items() if is_setting(name)}


def _alive(home: Path) -> list[Mark]:
    """Return the marks of the backends that run in this home, the last one last."""
    try:
        return [mark for mark in _MARKS.validate_json((home / FILE).read_bytes()) if mark.alive]
    except (OSError, ValidationError):
        return []

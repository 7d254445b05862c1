"""Record the processes of a home folder on disk, so that those left by a killed run can be found and ended."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from tagloom_base.errors import UserError
from tagloom_base.files import replaced
from tagloom_base.running import Mark
from tools.services.child import stop_tree

FILE = "services.json"


class Entries(BaseModel):
    """The owner, which started the other processes by a command of Tagloom, and its children by name."""

    owner: Mark | None = None
    command: str = "tagloom"
    children: dict[str, Mark] = {}


class Record:
    """The entries of one home folder."""

    def __init__(self, home: Path, command: str = "tagloom") -> None:
        self._path = home / FILE
        self._command = command

    def claim(self) -> list[str]:
        """Make this process the owner, end the children of a dead owner, and return their names.

        Raises UserError when another living process owns the home.
        """
        entries = self._read()
        if entries.owner and entries.owner.alive:
            raise UserError(
                f"Tagloom already runs in {self._path.parent} (process {entries.owner.pid}): "
                "end it with Ctrl-C where it runs, or with `tagloom down`"
            )
        ended = _end(entries.children)
        self.write({})
        return ended

    def write(self, children: Mapping[str, int]) -> None:
        """Record the living children (name → process id)."""
        marks = {name: mark for name, pid in children.items() if (mark := Mark.of(pid))}
        entries = Entries(owner=Mark.of(os.getpid()), command=self._command, children=marks)
        with replaced(self._path) as beside:
            beside.write_text(entries.model_dump_json(indent=1), "utf-8")

    def release(self) -> None:
        """Remove the record: no process of this home is running any more."""
        self._path.unlink(missing_ok=True)

    def down(self) -> list[str]:
        """End the owner and its children, and return the names of all processes that were running."""
        entries = self._read()
        running = [name for name, mark in entries.children.items() if mark.alive]
        if entries.owner and entries.owner.alive:
            running.insert(0, f"{entries.command} (process {entries.owner.pid})")
            # The owner ends its children one after the other, and each may need its time.
            stop_tree(entries.owner.pid, patience=40)
        _end(entries.children)
        self.release()
        return running

    def _read(self) -> Entries:
        with contextlib.suppress(FileNotFoundError, ValidationError):
            return Entries.model_validate_json(self._path.read_text("utf-8"))
        return Entries()


def _end(children: Mapping[str, Mark]) -> list[str]:
    """End the children that are alive, the last one first, and return their names."""
    left = [name for name, mark in children.items() if mark.alive]
    for name in reversed(left):
        stop_tree(children[name].pid, patience=8)
    return left

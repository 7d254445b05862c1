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
    """The owner, which started the other processes, and its children by name."""

    owner: Mark | None = None
    children: dict[str, Mark] = {}


class Record:
    """The entries of one home folder."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

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
        with replaced(self._path) as beside:
            beside.write_text(Entries(owner=Mark.of(os.getpid()), children=marks).model_dump_json(indent=1), "utf-8")

    def release(self) -> None:
        """Remove the record: no process of this home is running any more."""
        self._path.unlink(missing_ok=True)

    def down(self) -> list[str]:
        """End the owner and its children, and return the names of the ended processes."""
        entries, ended = self._read(), []
        if entries.owner and entries.owner.alive:
            # The owner ends its children one after the other, and each may need its time.
            stop_tree(entries.owner.pid, patience=40)
            ended.append("tagloom")
        ended += _end(entries.children)
        self.release()
        return ended

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

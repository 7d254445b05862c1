"""Marks of projects that were forgotten, or are being forgotten: one small file each in TAGLOOM_HOME.

A mark stands from before the first deletion until no job of the project can run any more. Jobs of a marked project end
at once.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from labelstudio.project import file_name
from store.database import is_over
from store.projects import Project
from tagloom_base.files import replaced
from worker.queue import TIMEOUT_S

DAY_S = 24 * 3600.0
# Seconds after which an unfinished forget counts as killed, and another process completes it.
KILLED_S = 600.0
# Seconds for which the mark stays: until then a job that had begun before may write a last file.
LINGER_S = TIMEOUT_S + 3600.0


@dataclass(frozen=True)
class Mark:
    """The mark of a project that is being forgotten. ``born`` is its `Project.created_at`; times are unix seconds."""

    key: str
    born: float
    at: float
    is_done: bool = False

    @classmethod
    def read(cls, home: Path, project_key: str) -> "Mark | None":
        """Return the project's mark, or None."""
        try:
            return cls(**json.loads(_file(home, project_key).read_text("utf-8")))
        except FileNotFoundError:
            return None

    def write(self, home: Path) -> None:
        with replaced(_file(home, self.key)) as beside:
            beside.write_text(json.dumps(asdict(self)), "utf-8")

    def drop(self, home: Path) -> None:
        _file(home, self.key).unlink(missing_ok=True)

    def is_due(self, now: float) -> bool:
        """Return whether something is left to do: the forget was killed, or the mark has stood for long enough."""
        wait = LINGER_S if self.is_done else KILLED_S
        return is_over(now, self.at + wait, wait)


def marks(home: Path) -> list[Mark]:
    """Return the marks of all projects, in the order of their files' names."""
    found = sorted((home / "forgotten").glob("*.json"))
    return [Mark(**json.loads(file.read_text("utf-8"))) for file in found]


def is_forgotten(home: Path, project_key: str, project: Project | None) -> bool:
    """Return whether a project was forgotten, or is being forgotten; ``project`` is what the store has of it."""
    mark = Mark.read(home, project_key)
    return mark is not None and (project is None or project.created_at == mark.born)


def _file(home: Path, project_key: str) -> Path:
    return home / "forgotten" / f"{file_name(project_key)}.json"

"""What becomes of the versions while ``tagloom up`` runs: a line for each promotion, refusal and failed training."""

from store.projects import Project
from store.store import Store
from store.versions import State, Version


class News:
    """Looks into the store and tells what has changed since the last look. What happened before the first is no news.

    Raises SQLAlchemyError while the database is away.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # Project and number of a version → its state, and when it was promoted last.
        self._seen: dict[tuple[str, int], tuple[State, float]] = {}
        self._failures: dict[str, str] = {}
        self.lines()

    def lines(self) -> list[str]:
        """Return a line for each event since the last call, the oldest version of a project first."""
        found = []
        for project in self._store.projects.all():
            name = project.title or project.key
            for version in reversed(self._store.versions.list(project.key)):
                found += [f"{name}: {line}" for line in self._of_version(project, version)]
            if project.failure and project.failure != self._failures.get(project.key):
                found.append(f"{name}: a training failed: {_one_line(project.failure)}")
            self._failures[project.key] = project.failure
        return found

    def _of_version(self, project: Project, version: Version) -> list[str]:
        key = (project.key, version.number)
        state, promoted_at = self._seen.get(key, (State.CANDIDATE, 0.0))
        self._seen[key] = (version.state, version.promoted_at)
        if version.promoted_at > promoted_at:
            return [f"{version.version} serves: {_one_line(version.reason)}"]
        if version.state is State.REFUSED and state is not State.REFUSED:
            return [f"{version.version} is refused: {_one_line(version.reason)}"]
        return []


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""The overview: all projects of the account, what runs, what is wrong, and how the parts are that Tagloom stands on."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Response

from backend.pages.figures import score_of
from backend.pages.frame import Visit
from backend.pages.health import health_of
from backend.pages.now import now_of
from backend.pages.problems import Problem, common_problems, problems_of
from store.projects import Project

# Most problems that are shown; the page of a project has all of its own.
MOST = 20


@dataclass(frozen=True)
class Row:
    """A project with the version that serves it. ``since`` is 0 before the first version, ``score`` may be empty."""

    project: Project
    title: str
    tasks: int
    version: str
    since: float
    gold: int
    score: str
    has_problem: bool


def overview(visit: Visit) -> Response:
    """Return the overview."""
    projects = visit.projects()
    now = now_of(visit, projects)
    problems = {project.key: problems_of(visit, project) for project in projects}
    shown: list[Problem] = [*common_problems(visit), *(one for found in problems.values() for one in found)]
    return visit.page(
        "overview.html.jinja",
        now=now,
        project=None,
        rows=_rows(visit, projects, {key for key, found in problems.items() if found}),
        problems=shown[:MOST],
        more=max(len(shown) - MOST, 0),
        parts_of_health=health_of(visit, now),
        encoders=_encoders(visit),
        unconnected=len(set(visit.account.projects) - {project.key for project in projects}),
    )


def _rows(visit: Visit, projects: Sequence[Project], troubled: set[str]) -> list[Row]:
    store = visit.pages.service.store
    counts, current, served = store.tasks.counts(), store.versions.all_current(), store.versions.all_served()
    rows = []
    for project in projects:
        here, version = current.get(project.key), served.get(project.key)
        rows.append(
            Row(
                project,
                visit.title(project),
                counts.get(project.key, 0),
                version.version if version else "",
                here.since if here else 0.0,
                version.gold_count if version else 0,
                score_of(version.metrics) if version else "",
                project.key in troubled,
            )
        )
    return sorted(rows, key=lambda row: row.title.casefold())


def _encoders(visit: Visit) -> list[tuple[str, str]]:
    """Return which encoders are loaded: the name of each part's text, and its description; then better ones, if any."""
    future = visit.pages.service.engine
    if not future.done() or future.exception():
        return []
    engine = future.result()
    described = [(f"encoder_{part}", words) for part, words in engine.extractor.describe().items()]
    return described + [("encoder_better", line) for line in engine.better_encoders]

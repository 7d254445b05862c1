"""The page on which people find items of a project: like one of its tasks, or by words."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import Response

from backend.pages.frame import Visit
from backend.similar import LoadingError, engine_of, searched_in
from labelstudio.project import ProjectKey
from labelstudio.sites import connections_of
from store.projects import Project
from tagloom_base.errors import UserError
from worker.search.finding import MOST, Fold, Results, Wanted

ON_A_PAGE = 24
LONGEST = 500  # characters of what is looked for
FOLDS: tuple[Fold, ...] = ("copies", "products", "nothing")


def similar_page(visit: Visit) -> Response:
    """Return the page with the form and, where something was asked for, what was found."""
    project, text, task = visit.project(), visit.asked("text")[:LONGEST].strip(), visit.asked("task").strip()
    fold = next((fold for fold in FOLDS if fold == visit.asked("fold")), FOLDS[0])
    page = visit.asked("page")
    number = int(page) if page.isdecimal() and page.isascii() and len(page) < 4 and int(page) else 1
    wanted = Wanted(text=text, fold=fold, count=ON_A_PAGE, page=number)
    found, why = None, ""
    if task or text:
        try:
            found = _found(visit, project, wanted, task)
        except (UserError, LoadingError) as reason:
            why = str(reason)
    query = {"id": project.key.partition("/")[2], "task": task, "text": text, "fold": fold}
    return visit.page(
        "similar.html.jinja",
        200 if not why else 422,
        project=project,
        title=visit.title(project),
        query=query,
        folds=FOLDS,
        found=found,
        why=why,
        studio=_studio(visit, project),
        earlier=_at(query, number - 1) if number > 1 else "",
        later=_at(query, number + 1) if found and found.more and ON_A_PAGE * (number + 1) <= MOST else "",
    )


def _at(query: Mapping[str, str], page: int) -> str:
    return f"similar?{urlencode({**query, 'page': page})}"


def _found(visit: Visit, project: Project, wanted: Wanted, task: str) -> Results:
    """Return what was found. Raises UserError and LoadingError."""
    if task:
        if not (task.isdecimal() and task.isascii() and len(task) < 19):
            raise UserError(visit.text("no_task_number"))
        wanted = replace(wanted, task=(project.key, int(task)))
    service = visit.pages.service
    searched = searched_in(service, project.key.partition("/")[0], [project.key])
    return engine_of(service.engine).finder.search(searched, wanted)


def _studio(visit: Visit, project: Project) -> str:
    """Return the beginning of a task's address in Label Studio."""
    key = ProjectKey.parse(project.key)
    url = connections_of(visit.pages.service.settings.studios)[key.connection].url
    return f"{url.rstrip('/')}/projects/{key.id}/data?task="

"""The pages of Label Studio that a backend requests: pictures, tasks and predictions, all with a token."""

import json
from collections.abc import Awaitable, Callable
from math import ceil
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from testing.label_studio.payloads import Json, Project, Task

_REFUSED = {"detail": "Authentication credentials were not provided."}


def build(
    project: Project, pictures: dict[str, Path], token: str, is_away: Callable[[], bool] = lambda: False
) -> Starlette:
    """Return the ASGI app. ``pictures`` maps file names below /data/upload/<project>/ to files, and may grow later.

    While ``is_away()`` is true, all pages answer 503.
    """
    guarded = _guard(token, is_away)

    async def picture(request: Request) -> Response:
        path = pictures.get(request.path_params["name"])
        return FileResponse(path) if path and path.exists() else _missing()

    async def one_project(request: Request) -> Response:
        return JSONResponse(project.body()) if request.path_params["id"] == project.id else _missing()

    async def all_projects(request: Request) -> Response:
        return JSONResponse({"count": 1, "next": None, "previous": None, "results": [project.body()]})

    async def nothing(_request: Request) -> Response:
        return JSONResponse([])

    async def tasks(request: Request) -> Response:
        page = _page(project, request)
        return JSONResponse(page) if page else _missing()

    async def one_task(request: Request) -> Response:
        task = project.tasks.get(request.path_params["id"])
        return JSONResponse(_full(task)) if task else _missing()

    async def annotations(request: Request) -> Response:
        task = project.tasks.get(request.path_params["id"])
        return JSONResponse([one.body() for one in task.annotations]) if task else _missing()

    async def imported(request: Request) -> Response:
        entries = await request.json()
        if any(entry["task"] not in project.tasks for entry in entries):
            return JSONResponse(["an entry's task is not there"], 400)
        for entry in entries:
            project.keep(entry["task"], entry)
        return JSONResponse({"created": len(entries)}, 201)

    async def prediction(request: Request) -> Response:
        number = request.path_params["id"]
        stored = (one for task in project.tasks.values() for one in task.predictions if one.id == number)
        found = next(stored, None)
        if found is None:
            return _missing()
        if request.method == "DELETE":
            project.tasks[found.task].predictions.remove(found)
            return Response(status_code=204)
        found.say(await request.json())
        return JSONResponse(found.body())

    async def version(request: Request) -> Response:
        return JSONResponse({"release": "1.23.2", "label-studio-os-package": {"version": "1.23.2"}})

    pages = {
        f"/data/upload/{project.id}/{{name}}": picture,
        "/api/projects": all_projects,
        "/api/projects/{id:int}": one_project,
        "/api/tasks": tasks,
        "/api/tasks/{id:int}": one_task,
        "/api/tasks/{id:int}/annotations": annotations,
        "/api/ml": nothing,
        "/api/webhooks": nothing,
    }
    # Label Studio answers these addresses with and without a final slash.
    routes = [Route(path + end, guarded(page)) for path, page in pages.items() for end in ("", "/")]
    routes += [
        Route(f"/api/projects/{project.id}/import/predictions", guarded(imported), methods=["POST"]),
        Route("/api/predictions/{id:int}/", guarded(prediction), methods=["PATCH", "DELETE"]),
    ]
    # These two pages need no token in Label Studio either.
    return Starlette(routes=[*routes, Route("/api/version", version), Route("/health", version)])


Page = Callable[[Request], Awaitable[Response]]


def _guard(token: str, is_away: Callable[[], bool]) -> Callable[[Page], Page]:
    """Return a decorator that answers 503 while Label Studio is away, and 401 without the token."""

    def guarded(page: Page) -> Page:
        async def answer(request: Request) -> Response:
            if is_away():
                return JSONResponse({"detail": "Service Unavailable"}, status_code=503)
            # Only the legacy token is known here, as Label Studio accepts it on all of these pages.
            if request.headers.get("authorization") != f"Token {token}":
                return JSONResponse(_REFUSED, status_code=401)
            return await page(request)

        return answer

    return guarded


def _missing() -> Response:
    return JSONResponse({"detail": "Not found."}, status_code=404)


def _page(project: Project, request: Request) -> Json | None:
    """Return one page of tasks, or None after the last page, for which Label Studio answers 404."""
    number = int(request.query_params.get("page", "1"))
    size = int(request.query_params.get("page_size", "100"))
    filters = json.loads(request.query_params.get("query", "{}")).get("filters", {"items": []})["items"]
    wanted = [(one["filter"].removeprefix("filter:tasks:"), one["operator"], one["value"]) for one in filters]
    ordered = [task for task in project.tasks.values() if all(_passes(task, *column) for column in wanted)]
    chosen = ordered[(number - 1) * size : number * size]
    if number > 1 and not chosen:
        return None
    return {
        "total": len(ordered),
        "total_annotations": sum(len(task.annotations) for task in ordered),
        "total_predictions": sum(len(task.predictions) for task in ordered),
        "pages": max(1, ceil(len(ordered) / size)),
        "tasks": [_full(task) for task in chosen],
    }


def _passes(task: Task, column: str, operator: str, value: Any) -> bool:
    """Return whether a task passes a filter of the data manager. Only the filters that Tagloom uses are known."""
    match column:
        case "id":
            return task.id in value if isinstance(value, list) else task.id > int(value)
        case "completed_at":
            return task.is_labeled != bool(value)
        case "total_predictions":
            return len(task.predictions) > int(value)
        case "predictions_model_versions":
            contains = any(part in one.model_version for one in task.predictions for part in value)
            return contains == (operator == "contains")
    raise ValueError(f"Label Studio's filter {column!r} is not simulated")


def _full(task: Task) -> Json:
    return {**task.in_webhook(), **task.in_predict(), "drafts": [], "draft_exists": task.drafts > 0}

"""The endpoints that Label Studio calls (recorded requests: tests/fixtures/label_studio).

Blocking work runs in the app's thread pools.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from backend.access import PAGES, is_page
from backend.bodies import BodyRoute
from backend.exposition import Exposition
from backend.request_ids import note
from backend.schemas import (
    Health,
    PredictRequest,
    PredictResponse,
    Problem,
    SetupRequest,
    SetupResponse,
    TaskPrediction,
    VersionList,
    WebhookRequest,
    WebhookResponse,
)
from backend.service import PredictCall, Service
from backend.similar import (
    LoadingError,
    RecommendRequest,
    SimilarQuery,
    SimilarRequest,
    SimilarResponse,
    recommend,
    similar,
)
from backend.status import Status, status_of
from labelstudio.config import ConfigError
from labelstudio.events import BadEventError, ids_of
from labelstudio.project import ProjectKey
from labelstudio.turns import FairPool
from store.journal import JournalError
from tagloom_base.errors import UserError

LOG = structlog.stdlib.get_logger(__name__)

ROUTER = APIRouter(route_class=BodyRoute)
Out = TypeVar("Out")
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem},
    401: {"model": Problem},
    413: {"model": Problem},
    422: {"model": Problem},
    500: {"model": Problem},
    503: {"model": Problem},
}


@ROUTER.get("/", include_in_schema=False, response_model=Health)
async def front(request: Request, response: Response) -> Health | Response:
    """Lead browsers to the pages; answer everybody else, as Label Studio, like /health."""
    if is_page("/", request.headers.get("accept", "").encode()):
        return RedirectResponse(f"{PAGES.lstrip('/')}/", 303)
    return await health(request, response)


@ROUTER.get("/health", responses=PROBLEMS)
async def health(request: Request, response: Response) -> Health:
    """Return UP at once, also while the models load, and 503 when the encoders cannot be loaded at all."""
    service = _service(request)
    engine = service.engine
    broken = engine.done() and engine.exception() is not None
    response.status_code = 503 if broken else 200
    ready = engine.done() and not broken
    return Health(status="DOWN" if broken else "UP", ready=ready, degraded=service.degraded(_connection(request)))


@ROUTER.post("/setup", responses={**PROBLEMS, 303: {"description": "The labelling config cannot work; see there why."}})
async def setup(request: Request, body: SetupRequest) -> Response:
    """Store a project and its labelling config, return its version. Cheap: Label Studio calls it before each task."""
    project = ProjectKey.of_request(body.project, _connection(request))
    note(project=str(project))
    service = _service(request)
    try:
        version = await _run(
            request,
            "setup",
            str(project),
            lambda: service.setup(project, body.label_config, body.access_token, body.extra_params),
        )
    except ConfigError as error:
        LOG.warning("a labelling config cannot work", reason=str(error))
        # Label Studio shows the URL of a failed request and not its body, so the reason becomes part of a URL. The
        # redirect is relative, so it keeps host and secret. If the request's path ended with a slash, it needs "../".
        words = quote(str(error).replace("/", " ").replace(" ", "-"), safe="<>=\"',.:;()-")
        up = "../" if request.state.slash else ""
        return RedirectResponse(f"{up}setup/problem/{words[:1500]}", 303)
    note(version=version)
    return JSONResponse(SetupResponse(model_version=version).model_dump(exclude_none=True))


@ROUTER.get("/setup/problem/{words}", responses=PROBLEMS, include_in_schema=False)
async def setup_problem(words: str) -> Response:
    """Answer the redirect of /setup for a config that cannot work, with the reason that the URL contains."""
    return JSONResponse({"detail": words.replace("-", " ")}, 400)


@ROUTER.post("/predict", response_model=PredictResponse, responses=PROBLEMS)
async def predict(request: Request, body: PredictRequest) -> Response:
    """Return one answer per task, in order, within the time budget."""
    began = time.monotonic()
    project = ProjectKey.of_request(body.project, _connection(request))
    note(project=str(project))
    context = body.params.context.result if body.params and body.params.context else None
    service = _service(request)
    call = PredictCall(project, body.label_config, body.tasks, context, began)

    # What was answered before is looked up here: the way to a thread and back takes longer.
    if request.state.is_small and (written := service.predict_written(call)) is not None:
        answers, version = written
        note(version=version)
        end = f'],"model_version":{json.dumps(version, ensure_ascii=False)}}}'.encode()
        return Response(b'{"results":[' + b",".join(answers) + end, media_type="application/json")

    def from_cache() -> tuple[Response, str] | None:
        found = service.predict_kept(call)
        return None if found is None else _answer(*found)

    # Requests whose pictures are all known must not wait for requests that read pictures.
    at_once = await _run(request, "kept", str(project), from_cache)
    if at_once is not None:
        answer, version = at_once
    else:
        answer, version = await _run(request, "read", str(project), lambda: _answer(*service.predict(call)))
    note(version=version)
    return answer


@ROUTER.post("/webhook", responses=PROBLEMS)
async def webhook(request: Request, body: WebhookRequest) -> Response:
    """Make an event durable before answering: Label Studio waits one second and never sends an event again."""
    service, connection = _service(request), _connection(request)
    note(**ids_of(body.payload(), connection))
    try:
        project = f"{connection}/{body.project.id}"
        job = await _run(request, "events", project, lambda: service.webhook(body.payload(), connection))
    except BadEventError as error:
        return JSONResponse({"detail": str(error)}, 422)
    except JournalError as error:
        LOG.error("an event is not durable; reconcile has to find it", action=body.action, error=str(error))
        return JSONResponse({"detail": "the event could not be stored; see the backend's log"}, 503)
    return JSONResponse(WebhookResponse(job=job).model_dump())


@ROUTER.get("/similar", responses=PROBLEMS, response_model=SimilarResponse)
async def similar_of_query(request: Request, query: Annotated[SimilarQuery, Query()]) -> Response:
    """Return items of this connection that are like a task, or that words name."""
    service, connection = _service(request), _connection(request)
    return await _found(request, "kept", lambda: similar(service, connection, query))


@ROUTER.post("/similar", responses=PROBLEMS, response_model=SimilarResponse)
async def similar_of_body(request: Request, body: SimilarRequest) -> Response:
    """Return items of this connection that are like a task or a picture, or that words name."""
    service, connection = _service(request), _connection(request)
    pool = "read" if body.picture else "kept"
    return await _found(request, pool, lambda: similar(service, connection, body))


@ROUTER.post("/recommend", responses=PROBLEMS, response_model=SimilarResponse)
async def recommended(request: Request, body: RecommendRequest) -> Response:
    """Return what somebody may like who looked at tasks of a project."""
    service, connection = _service(request), _connection(request)
    return await _found(request, "kept", lambda: recommend(service, connection, body))


@ROUTER.get("/versions", responses=PROBLEMS)
async def versions(request: Request) -> VersionList:
    """Return the versions of all projects of this connection: Label Studio's request names no project."""
    service, connection = _service(request), _connection(request)
    return VersionList(versions=await _run(request, "reports", connection, lambda: service.versions(connection)))


@ROUTER.get("/status", responses=PROBLEMS)
async def status(request: Request) -> Status:
    """Return which versions serve, which were refused and why, and how far training is behind."""
    service, connection = _service(request), _connection(request)
    return await _run(request, "reports", connection, lambda: status_of(service, connection))


@ROUTER.get("/metrics", responses=PROBLEMS, response_class=Response)
async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format: of this backend, of all workers, of this connection's projects."""
    service, connection = _service(request), _connection(request)
    text = await _run(request, "reports", connection, lambda: service.metrics.text(Exposition(service, connection)))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _connection(request: Request) -> str:
    name: str = request.state.connection
    return name


async def _run(request: Request, pool: str, project: str, work: Callable[[], Out]) -> Out:
    """Run blocking work in one of the app's pools, when it is the project's turn, and return its result."""
    pools: dict[str, FairPool] = request.app.state.pools
    return await asyncio.wrap_future(pools[pool].submit(project, work))


async def _found(request: Request, pool: str, work: Callable[[], SimilarResponse]) -> Response:
    """Return what was found, or why nothing can be: 422 for what cannot be looked for, 503 while the models load."""
    try:
        found = await _run(request, pool, _connection(request), work)
    except UserError as wrong:
        return JSONResponse({"detail": str(wrong)}, 422)
    except LoadingError as loading:
        return JSONResponse({"detail": str(loading)}, 503)
    return JSONResponse(found.model_dump())


def _answer(results: list[TaskPrediction], version: str) -> tuple[Response, str]:
    """Return the answer, which is made in the pool's thread since it may be large, and its version."""
    return JSONResponse(PredictResponse(results=results, model_version=version).model_dump()), version

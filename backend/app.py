"""The ASGI application: access control, routes, error handlers, and the thread pools that projects share."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError

from backend.access import Access, Guards
from backend.bodies import readers
from backend.measured import Measured
from backend.metrics import Metrics
from backend.pages.frame import Pages
from backend.pages.routes import ROUTER as PAGES_ROUTER
from backend.request_ids import HEADER, RequestIds
from backend.routes import ROUTER
from backend.running import running
from backend.ties import Dependencies, dependencies_of
from labelstudio.turns import FairPool
from tagloom_base.settings import Settings

LOG = structlog.stdlib.get_logger(__name__)

# Pool → its number of threads, and how many of them one project may hold. Webhooks ("events") wait for no other
# requests. Answers from cached features ("kept") do not wait for those that read pictures ("read"). And one project's
# slow pictures never hold all threads. The pages of one person hold few, since their Label Studio may be slow.
# Pictures that pages show are fetched in threads of their own, few of them, since each may wait for a slow host.
THREADS = {
    "events": (16, 8),
    "setup": (16, 4),
    "kept": (16, 4),
    "read": (16, 3),
    "reports": (4, 4),
    "pages": (8, 2),
    "pictures": (4, 2),
}


def create_app(
    settings: Settings,
    dependencies: Dependencies | None = None,
    *,
    settle: Callable[[], object] = lambda: None,
    when_loaded: Callable[[object], None] = lambda _: None,
) -> FastAPI:
    """Return the backend for these settings, with the real encoders and worker unless ``dependencies`` are given.

    ``settle`` is called when the models are loaded, before /health says so; ``when_loaded`` afterwards, also when they
    have failed to load. Raises UserError for settings that
    cannot work.
    """
    guards = Guards.of(settings.access, settings.studios)
    metrics = Metrics()
    app = FastAPI(
        title="Tagloom", version="1", lifespan=_lifespan, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.settle = settle
    app.state.when_loaded = when_loaded
    app.state.dependencies = dependencies or dependencies_of(settings)
    app.include_router(ROUTER)
    app.include_router(PAGES_ROUTER)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(OperationalError, _without_database)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Measured, metrics=metrics)
    app.add_middleware(Access, guards=guards, max_bytes=settings.access.max_request_bytes)
    app.add_middleware(RequestIds)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start the service, the pools and the body parser; end them when the server stops."""
    with running(app.state.settings, app.state.dependencies, app.state.metrics, app.state.settle) as service:
        app.state.service = service
        service.engine.add_done_callback(app.state.when_loaded)
        app.state.pages = Pages.of(service)
        app.state.pools = {name: FairPool(threads, share, name) for name, (threads, share) in THREADS.items()}
        app.state.readers = readers()
        try:
            yield
        finally:
            app.state.pages.pictures.close()
            app.state.readers.shutdown(wait=True, cancel_futures=True)
            for pool in app.state.pools.values():
                pool.close(wait=True)
            app.state.pages.close()


async def _unreadable(_request: Request, error: Exception) -> Response:
    """Name the wrong fields, without their values: a request may contain tokens."""
    assert isinstance(error, RequestValidationError)
    # Names of fields may hold half of a surrogate pair, which UTF-8 cannot encode.
    places = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()[:5]]
    detail = "; ".join(places).encode("utf-8", "replace").decode()
    return JSONResponse({"detail": detail}, 422)


async def _without_database(request: Request, error: Exception) -> Response:
    LOG.error("the database is away or locked", path=request.url.path, error=str(error))
    return JSONResponse({"detail": "the database is away or locked; the backend's log says more"}, 503)


async def _unexpected(request: Request, error: Exception) -> Response:
    LOG.error("a request failed", path=request.url.path, error=repr(error), exc_info=error)
    # This answer passes no middleware.
    headers = {HEADER: str(request.state.request_id)}
    return JSONResponse({"detail": "something went wrong; the backend's log says what"}, 500, headers)

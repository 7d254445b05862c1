"""The ASGI application: access, routes, pools, and the models that load behind the first answers."""

import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from backend.access import Access, Guards
from backend.engine import Engine
from backend.measured import Measured
from backend.metrics import Metrics
from backend.routes import ROUTER
from backend.service import Service
from backend.ties import Ties, ties_of
from labelstudio.sites import Sites
from store.store import Store
from tagloom.settings import Settings

LOG = structlog.stdlib.get_logger(__name__)

QUICK_THREADS = 16
SLOW_THREADS = 16


def create_app(settings: Settings, ties: Ties | None = None) -> FastAPI:
    """The backend for these settings, with the real encoders and worker unless other ``ties`` are given.

    Raises UserError when the settings cannot work.
    """
    guards = Guards.of(settings)
    metrics = Metrics()
    app = FastAPI(title="Tagloom", version="1", lifespan=_lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.ties = ties or ties_of(settings)
    app.include_router(ROUTER)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Measured, metrics=metrics)
    app.add_middleware(Access, guards=guards, max_bytes=settings.max_request_bytes)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Everything quick is there before the first request; the models follow in a thread of their own."""
    settings: Settings = app.state.settings
    store = Store.open(settings.database)
    sites = Sites(settings)
    engine: Future[Engine] = Future()
    service = Service(settings, store, sites, app.state.metrics, app.state.ties, engine)
    app.state.service = service
    app.state.pools = {
        False: ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="quick"),
        True: ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="slow"),
    }
    loading = threading.Thread(target=_load, args=(engine, service, sites, app.state.ties), name="loading", daemon=True)
    loading.start()
    try:
        yield
    finally:
        loading.join()
        for pool in app.state.pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        service.close()
        if engine.exception() is None:
            engine.result().close()
        sites.close()
        store.close()


def _load(engine: "Future[Engine]", service: Service, sites: Sites, ties: Ties) -> None:
    try:
        engine.set_result(Engine(service.settings, service.store, sites, service.metrics, ties))
    except Exception as error:  # told by /health and in the log; a restart with better settings is the way on
        LOG.error("the models cannot be loaded: no predictions until this is put right", error=str(error))
        engine.set_exception(error)


async def _unreadable(_request: Request, error: Exception) -> Response:
    """Which field is wrong, without repeating what was sent: it may hold tokens."""
    assert isinstance(error, RequestValidationError)
    places = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()[:5]]
    detail = "; ".join(places).encode("utf-8", "replace").decode()
    return JSONResponse({"detail": detail}, 422)


async def _unexpected(request: Request, error: Exception) -> Response:
    LOG.error("a request failed", path=request.url.path, error=repr(error), exc_info=error)
    return JSONResponse({"detail": "something went wrong; the backend's log says what"}, 500)

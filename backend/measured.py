"""Counts and logs each answer: route, status, time. Only the route is named, never the secret in front of it."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.metrics import Metrics

LOG = structlog.stdlib.get_logger(__name__)

ROUTES = {"/": "health"} | {
    f"/{name}": name for name in ("health", "setup", "predict", "webhook", "versions", "status", "metrics")
}
QUIET = {"health", "metrics", "status"}  # asked for all the time


class Measured:
    """ASGI middleware around the routes."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._note(scope, status, time.monotonic() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = ROUTES.get(scope["path"], "other")
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if route not in QUIET or status >= 400:
            LOG.info("answered", route=route, status=status, ms=round(seconds * 1000, 1))

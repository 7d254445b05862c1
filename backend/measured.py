"""Count and log each answer by route, status and time. Only the route's name is logged, never a secret in the URL."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.access import is_page
from backend.metrics import Metrics

LOG = structlog.stdlib.get_logger(__name__)

ROUTES = {"/": "health"} | {
    f"/{name}": name for name in ("health", "setup", "predict", "webhook", "versions", "status", "metrics")
}
# These routes are requested all the time, so only their failures are logged.
QUIET = {"health", "metrics", "pages", "status"}


class Measured:
    """ASGI middleware that counts and logs what the routes answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        # The server sends 500 when the application raises before it answers.
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = time.monotonic() - began
            # The outer middleware, ``Access``, has already removed the secret from the path.
            route = "pages" if is_page(scope["path"], b"") else ROUTES.get(scope["path"], "other")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            if route not in QUIET or status >= 400:
                LOG.info("answered", route=route, status=status, ms=round(seconds * 1000, 1))

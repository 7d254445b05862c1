"""One id for each request, on each of its log lines, in its answer, and on the jobs that it asks for."""

import re
import uuid
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagloom_base.logs import REQUEST

HEADER = "x-request-id"
# What a proxy in front may have given: letters, digits and a few marks, so that no line of a log can be forged.
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=:-]{0,63}")


class RequestIds:
    """ASGI middleware: takes the id of the header X-Request-ID if it is well formed, else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(HEADER.encode(), b"").decode("ascii", "replace")
        name = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name
        # Cleared at the next request and not at the end: the handler of unexpected errors comes after this.
        structlog.contextvars.clear_contextvars()
        note(**{REQUEST: name})

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (HEADER.encode(), name.encode())]
            await send(message)

        await self._app(scope, receive, named)


def note(**ids: Any) -> None:
    """Let the further log lines of this request carry these ids."""
    structlog.contextvars.bind_contextvars(**ids)

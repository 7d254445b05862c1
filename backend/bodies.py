"""Read request bodies within limits, and parse and check large ones in a thread beside the event loop.

Three limits bound the cost of a body: its bytes (per route), its number of JSON values, and its depth.
"""

import asyncio
import gc
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from json import scanner
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from store.values import DEPTH, is_deep

# Bytes of a body up to which the event loop parses it, because a thread would cost more than the parsing.
SMALL = 64_000
# Most JSON values of one body. An annotation of 100,000 rectangles has 1.6 million, 257 tasks have 8,000.
MOST_VALUES = 2_000_000
# JSON values up to which the parser in C is used. It holds the interpreter's lock, here for well under half a second.
QUICK_VALUES = 400_000
# Most bytes of a /setup: the longest labelling config with each character escaped.
SETUP_BYTES = 8_000_000
# Large bodies are parsed one after the other, so that their costs do not add up.
READERS = 1

# Route → most bytes. TAGLOOM_MAX_REQUEST_BYTES is the only limit of other routes.
_LIMITS = {"/setup": SETUP_BYTES}


class BodyRoute(APIRoute):
    """A route whose JSON body is read, parsed and checked here, before FastAPI asks for it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        model: Any = self.body_field.field_info.annotation if self.body_field else None
        limit = _LIMITS.get(self.path)

        async def handle(request: Request) -> Response:
            bounded = _Bounded(request.scope, request.receive)
            if model is not None:
                most = request.app.state.settings.access.max_request_bytes
                await bounded.read(model, min(limit, most) if limit else most)
            return await handler(bounded)

        return handle


def readers() -> ThreadPoolExecutor:
    """Return the pool of threads that parses large bodies; ``app.state.readers`` holds it."""
    return ThreadPoolExecutor(READERS, thread_name_prefix="body")


async def received(request: Request, limit: int, too_large: str) -> bytes:
    """Return a request's body. Raises HTTPException for one of more than ``limit`` bytes, or one that is cut off."""
    parts = bytearray()
    try:
        async for part in request.stream():
            parts += part
            if len(parts) > limit:
                raise HTTPException(413, too_large)
    except ClientDisconnect:
        raise HTTPException(400, "The request ended before its body was over.") from None
    return bytes(parts)


class _Bounded(Request):
    """A request whose body ``read`` has parsed and checked. FastAPI gets the finished model from ``json``."""

    _checked: BaseModel

    async def read(self, model: type[BaseModel], limit: int) -> None:
        """Read and check the body.

        Raises HTTPException for a body that is too large, too deep or cut off, and RequestValidationError for one that
        is no JSON or does not fit the model.
        """
        path: str = self.scope["path"]
        body = await received(self, limit, f"The request is larger than {limit:,} bytes, the most for {path}.")
        self._body = body
        self.state.is_small = len(body) <= SMALL
        if not body or "json" not in self.headers.get("content-type", ""):
            # FastAPI answers that the body is missing.
            return
        if self.state.is_small:
            self._checked = _checked(body, model)
        else:
            pool = self.app.state.readers
            self._checked = await asyncio.get_running_loop().run_in_executor(pool, _checked_large, body, model)
            # Only the model is used from here on, so the memory can be freed.
            self._body = b"{}"

    async def json(self) -> Any:
        return self._checked


def _checked_large(body: bytes, model: type[BaseModel]) -> BaseModel:
    """Parse a body in the readers' thread.

    The garbage collector is off meanwhile: JSON has no cycles, and the many new objects would start the collector over
    and over.
    """
    gc.disable()
    try:
        return _checked(body, model)
    finally:
        gc.enable()


def _checked(body: bytes, model: type[BaseModel]) -> BaseModel:
    """Parse the body and return it as a model; errors as in ``_Bounded.read``."""
    # Each value follows a comma, a bracket or a brace. Those inside texts are counted too, so this is an upper bound.
    values = len(body) - len(body.translate(None, b",[{"))
    if values > MOST_VALUES:
        raise HTTPException(413, f"The request holds more than {MOST_VALUES:,} values: send fewer tasks at once.")
    try:
        value = json.loads(body, cls=_Yielding if values > QUICK_VALUES else None)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": f"no JSON: {error}"}]) from None
    if is_deep(value):
        raise _too_deep()
    try:
        return model.model_validate(value)
    except ValidationError as error:
        places = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**place, "loc": ("body", *place["loc"])} for place in places]) from None


class _Yielding(json.JSONDecoder):
    """The JSON parser in Python. It is about ten times slower than the one in C, but lets other threads run."""

    def __init__(self) -> None:
        super().__init__()
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def _too_deep() -> HTTPException:
    return HTTPException(422, f"The request is nested deeper than {DEPTH} levels.")

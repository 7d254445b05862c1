"""Request bodies: read within limits, parsed and checked beside the event loop, the first fault told.

What a body costs is bounded by its size: bytes by route, values and depth for all of them.
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

SMALL = 64_000  # bytes that are parsed at once: handing them to a thread costs more
MOST_VALUES = 2_000_000  # in one body: an annotation of 100,000 rectangles has 1.6 million, 257 tasks have 8,000
QUICK_VALUES = 400_000  # are parsed in well under half a second, during which nobody else is answered
SETUP_BYTES = 8_000_000  # a labelling config of the longest kind, each character escaped
READERS = 1  # large bodies are parsed one after the other, so that their costs do not add up

_LIMITS = {"/setup": SETUP_BYTES}  # bytes; elsewhere TAGLOOM_MAX_REQUEST_BYTES alone counts


class BodyRoute(APIRoute):
    """A route whose JSON body is a model: it is read here, and FastAPI finds it read and checked."""

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
    """The threads that parse large bodies, for ``app.state.readers``."""
    return ThreadPoolExecutor(READERS, thread_name_prefix="body")


class _Bounded(Request):
    """A request whose body was read by ``read``."""

    _checked: BaseModel

    async def read(self, model: type[BaseModel], limit: int) -> None:
        """HTTPException or RequestValidationError for a body that is too large, no JSON, or not of this model."""
        body = await self._within(limit)
        self._body = body
        if not body or "json" not in self.headers.get("content-type", ""):
            return  # FastAPI tells what is missing
        if len(body) <= SMALL:
            self._checked = _checked(body, model)
        else:
            pool = self.app.state.readers
            self._checked = await asyncio.get_running_loop().run_in_executor(pool, _large, body, model)
            self._body = b"{}"  # nobody asks for the bytes any more

    async def json(self) -> Any:
        return self._checked

    async def _within(self, limit: int) -> bytes:
        body = bytearray()
        try:
            async for part in self.stream():
                body += part
                if len(body) > limit:
                    raise HTTPException(413, f"The request is larger than {limit:,} bytes, the most for {self.path}.")
        except ClientDisconnect:
            raise HTTPException(400, "The request ended before its body was over.") from None
        return bytes(body)

    @property
    def path(self) -> str:
        path: str = self.scope["path"]
        return path


def _large(body: bytes, model: type[BaseModel]) -> BaseModel:
    """Without the collector of cycles: JSON has none, and it would look through all that is there again and again."""
    gc.disable()
    try:
        return _checked(body, model)
    finally:
        gc.enable()


def _checked(body: bytes, model: type[BaseModel]) -> BaseModel:
    try:
        return model.model_validate(_parsed(body))
    except ValidationError as error:
        places = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**place, "loc": ("body", *place["loc"])} for place in places]) from None


def _parsed(body: bytes) -> Any:
    # Each value stands behind a comma, a bracket or a brace. Those in texts are counted too: they only make it more.
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
    return value


class _Yielding(json.JSONDecoder):
    """Python's parser in Python: some ten times slower than the one in C, which no other thread can interrupt."""

    def __init__(self) -> None:
        super().__init__()
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def _too_deep() -> HTTPException:
    return HTTPException(422, f"The request is nested deeper than {DEPTH} levels.")

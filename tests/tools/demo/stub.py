"""A tiny backend whose answers are arranged: it stands for a good one, and for each way of being bad."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from testing.label_studio.server import ThreadedServer

Json = dict[str, Any]
Result = list[Json]


class StubBackend:
    """Makes a version of every ``every`` annotations; ``answer`` gives a task's result under a version number."""

    def __init__(self, answer: Callable[[Json, int], Result], *, every: int = 10) -> None:
        self.answer = answer
        self.every = every
        self.requests: list[tuple[str, Json, dict[str, str]]] = []
        self.gold = 0
        self.predict: Callable[[Json], Response] = self.usual
        self._changing = threading.Lock()
        self.server = ThreadedServer(
            Starlette(
                routes=[
                    Route("/health", self._health),
                    Route("/setup", self._setup, methods=["POST"]),
                    Route("/predict", self._predict, methods=["POST"]),
                    Route("/webhook", self._webhook, methods=["POST"]),
                ]
            )
        )

    @property
    def version(self) -> int:
        return self.gold // self.every

    def usual(self, body: Json) -> Response:
        version = self.version
        results = [
            {"result": self.answer(task, version), "score": 0.5, "model_version": f"v{version}.abcd"}
            for task in body["tasks"]
        ]
        return JSONResponse({"results": results})

    async def _health(self, request: Request) -> Response:
        self._note("health", {}, request)
        return JSONResponse({"status": "UP"})

    async def _setup(self, request: Request) -> Response:
        self._note("setup", await request.json(), request)
        return JSONResponse({"model_version": f"v{self.version}.abcd"})

    async def _predict(self, request: Request) -> Response:
        body = await request.json()
        self._note("predict", body, request)
        return self.predict(body)

    async def _webhook(self, request: Request) -> Response:
        body = await request.json()
        self._note("webhook", body, request)
        self.gold += body["action"] == "ANNOTATION_CREATED"
        return JSONResponse({"status": "ok"}, status_code=201)

    def _note(self, call: str, body: Json, request: Request) -> None:
        with self._changing:
            self.requests.append((call, body, dict(request.headers)))

    def bodies(self, call: str) -> list[Json]:
        return [body for name, body, _ in self.requests if name == call]


@contextmanager
def serving(backend: StubBackend) -> Iterator[str]:
    backend.server.start()
    try:
        yield backend.server.url
    finally:
        backend.server.stop()


def tags(*labels: str) -> Result:
    region = {
        "id": "c",
        "from_name": "elements",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": list(labels)},
    }
    return [region] if labels else []

"""The simulated Label Studio with the pages that Tagloom writes to: predictions, the backend's title, the project.

Writes have the effects of Label Studio 1.23.2: a new title also becomes the project's model version, and a change of
the project sends a webhook.
"""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from labelstudio.project import ProjectKey
from testing.label_studio import payloads
from testing.label_studio.pages import build
from testing.label_studio.server import ThreadedServer
from testing.label_studio.simulator import SimulatedLabelStudio
from testing.pictures import png

BUSY = "/data/upload/busy.png"
"""The address of a picture that cannot be fetched now: it is answered with 503."""

LATE = "/data/upload/late"
"""The address below which pictures arrive late: ``LATE/2.5/a.png`` after 2.5 seconds."""


class WritableLabelStudio(SimulatedLabelStudio):
    """Lists all writes in ``written`` and those to single predictions in ``changed`` (method and id), in their order.

    ``data_written`` lists the writes into tasks' data: key, value and number of tasks, or the id of a single task.
    The write of predictions or annotations with the number ``fails_at``, counted from 1, is answered with 500; 0: none
    is. ``answers_lost`` further annotations are kept, but answered with 500. ``annotators`` maps tokens to the id and
    address of a person; all of them see the project.
    """

    def __init__(self, label_config: str, backend_url: str = "http://127.0.0.1:1") -> None:
        super().__init__(label_config, backend_url)
        self.backend: dict[str, Any] = {
            "id": 5, "title": "Tagloom", "url": backend_url, "project": self.project.id, "model_version": "",
            "auth_method": "NONE", "state": "CO",
        }  # fmt: skip
        self.backends = [self.backend]
        self.webhooks: list[dict[str, Any]] = [
            {
                "id": 7, "project": self.project.id, "url": backend_url.rstrip("/") + "/webhook", "send_payload": True,
                "send_for_all_actions": True, "headers": {}, "is_active": True, "actions": [],
            }
        ]  # fmt: skip
        self.refuses_webhooks = False
        self.sampling = "Sequential sampling"
        self.written: list[str] = []
        self.data_written: list[str] = []
        self.changed: list[str] = []
        self.fails_at = 0
        self.annotators = {self.token: (payloads.USER, "anna@shop.test")}
        self.refuses_annotations = False
        self.answers_lost = 0
        self._server = ThreadedServer(self._pages())

    @property
    def key(self) -> ProjectKey:
        return ProjectKey("default", self.project.id, int(self.project.created.timestamp()))

    def versions_of(self, task: int) -> list[str]:
        """Return the versions of a task's stored predictions."""
        return [prediction.model_version for prediction in self.project.tasks[task].predictions]

    def store_prediction(self, task: int, version: str, score: float = 0.5) -> int:
        """Store a prediction as Label Studio does after a /predict; return its id."""
        return self.project.keep(task, {"result": [], "score": score, "model_version": version}).id

    def next_task(self) -> int | None:
        """Return the unlabelled task that uncertainty sampling serves next; None if it chooses at random."""
        scores = {
            task.id: prediction.score or 0.0
            for task in self.project.tasks.values()
            for prediction in task.predictions
            if prediction.model_version == self.project.model_version and not task.annotations
        }
        return min(scores, key=lambda number: scores[number]) if scores else None

    def _pages(self) -> Starlette:
        number = self.project.id
        routes = [
            Route(f"/api/projects/{number}/", self._project, methods=["GET", "PATCH"]),
            Route(f"/api/projects/{number}/summary/reset/", self._count_data, methods=["POST"]),
            Route("/api/dm/actions", self._act, methods=["POST"]),
            Route("/api/tasks/{id:int}/", self._task, methods=["PATCH"]),
            Route("/api/ml/", self._backends),
            Route("/api/webhooks/", self._webhooks),
            Route("/api/webhooks/{id:int}/", self._webhook, methods=["PATCH"]),
            Route("/api/ml/{id:int}", self._backend, methods=["PATCH"]),
            Route("/api/current-user/whoami", self._who),
            Route("/api/tasks/{id:int}/annotations/", self._annotate, methods=["POST"]),
            Route("/api/annotations/{id:int}/", self._one_annotation, methods=["GET", "DELETE"]),
            Route(BUSY, _busy),
            Route(LATE + "/{seconds:float}/{name}", _late),
            Mount("/", build(self.project, self._pictures, self.token)),
        ]
        return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._noted)])

    async def _noted(self, request: Request, answer: RequestResponseEndpoint) -> Response:
        """Record writes of predictions; answer 500 to the one with the number ``fails_at``."""
        path = request.url.path
        is_known = request.headers.get("authorization", "").removeprefix("Token ") in self.annotators
        if is_known:
            # The pages below know one token.
            request.scope["tagloom"] = request.headers["authorization"].removeprefix("Token ")
            others = [pair for pair in request.scope["headers"] if pair[0] != b"authorization"]
            request.scope["headers"] = [*others, (b"authorization", f"Token {self.token}".encode())]
        if ("predictions" not in path and "annotations" not in path) or request.method == "GET":
            return await answer(request)
        self.fails_at -= 1
        if self.fails_at == 0:
            return Response(status_code=500)
        if "annotations" in path:
            return await answer(request)
        if request.method == "POST":
            self.written.append(f"{len(await request.json())} predictions")
        else:
            self.changed.append(f"{request.method} {path.rstrip('/').rpartition('/')[2]}")
        return await answer(request)

    async def _project(self, request: Request) -> Response:
        if request.method == "PATCH":
            changed = await request.json()
            if not changed:
                # A change of nothing sends the webhook, too.
                self.deliveries.send(payloads.project_event("PROJECT_UPDATED", self.project))
                return JSONResponse(self.project.body())
            known = {one.model_version for task in self.project.tasks.values() for one in task.predictions}
            if changed["model_version"] not in {self.backend["title"], *known}:
                return JSONResponse({"model_version": "neither a backend's title nor a prediction's"}, 400)
            self.project.model_version, self.sampling = changed["model_version"], changed["sampling"]
            self.written.append(f"project goes by {self.project.model_version}")
            self.deliveries.send(payloads.project_event("PROJECT_UPDATED", self.project))
        return JSONResponse({**self.project.body(), "sampling": self.sampling})

    async def _act(self, request: Request) -> Response:
        """Write one value into the data of chosen tasks. As in Label Studio, their ``updated_at`` stays."""
        asked = await request.json()
        assert request.query_params["id"] == "add_data_field"
        assert not asked["selectedItems"]["all"]
        value = {"String": str, "Number": float}[asked["value_type"]](asked["value"])
        chosen = asked["selectedItems"]["included"]
        for number in chosen:
            self.project.tasks[number].data[asked["value_name"]] = value
        self.data_written.append(f"{asked['value_name']} {value} {len(chosen)}")
        return JSONResponse({"response_code": 200, "detail": f"Updated {len(chosen)} tasks"})

    async def _task(self, request: Request) -> Response:
        task = self.project.tasks[request.path_params["id"]]
        task.data = (await request.json())["data"]
        self.data_written.append(str(task.id))
        return JSONResponse(task.in_webhook())

    async def _count_data(self, _request: Request) -> Response:
        self.data_written.append("counted")
        return Response(status_code=200)

    async def _who(self, request: Request) -> Response:
        if self.is_away or "tagloom" not in request.scope:
            return JSONResponse({}, 503 if self.is_away else 401)
        number, address = self.annotators[request.scope["tagloom"]]
        return JSONResponse({"id": number, "email": address})

    async def _annotate(self, request: Request) -> Response:
        """Create an annotation as the person of the token. As in Label Studio, its unique id is unique."""
        if self.is_away or "tagloom" not in request.scope:
            return JSONResponse({}, 503 if self.is_away else 401)
        if self.refuses_annotations:
            return JSONResponse({"detail": "You do not have permission to perform this action."}, 403)
        fields, task = await request.json(), self.project.tasks.get(request.path_params["id"])
        if task is None:
            return JSONResponse({"detail": "Not found."}, 404)
        parent = fields.get("parent_prediction")
        if parent is not None and parent not in {one.id for one in task.predictions}:
            return JSONResponse({"validation_errors": {"parent_prediction": ["Invalid pk"]}}, 400)
        held = {one.unique_id for each in self.project.tasks.values() for one in each.annotations}
        if fields["unique_id"] in held:
            return JSONResponse({"detail": "Annotation with this unique id already exists"}, 409)
        # In another thread: the backend may ask for pages while it takes the webhook.
        made = await asyncio.to_thread(self.submit, task.id, fields, self.annotators[request.scope["tagloom"]][0])
        if self.answers_lost:
            self.answers_lost -= 1
            return Response(status_code=500)
        return JSONResponse(made.body(), 201)

    async def _one_annotation(self, request: Request) -> Response:
        number = request.path_params["id"]
        found = [one for task in self.project.tasks.values() for one in task.annotations if one.id == number]
        if self.is_away or not found:
            return JSONResponse({"detail": "Not found."}, 503 if self.is_away else 404)
        if request.method == "DELETE":
            # Also the drafts of those who were changing it, as Label Studio does.
            self.project.tasks[found[0].task].drafts = 0
            await asyncio.to_thread(self.delete, [number])
            return Response(status_code=204)
        return JSONResponse(found[0].body())

    async def _backends(self, _request: Request) -> Response:
        return JSONResponse(self.backends)

    async def _webhooks(self, _request: Request) -> Response:
        return JSONResponse(self.webhooks)

    async def _webhook(self, request: Request) -> Response:
        """Change a webhook. As in Label Studio, one that is sent without its actions loses them."""
        changed = {"actions": [], **await request.json()}
        (webhook,) = [one for one in self.webhooks if one["id"] == request.path_params["id"]]
        if self.refuses_webhooks:
            return JSONResponse({"detail": "not allowed"}, 403)
        webhook.update(changed)
        return JSONResponse(webhook)

    async def _backend(self, request: Request) -> Response:
        changed = await request.json()
        assert (
            changed["url"] == self.backend["url"]
        )  # Label Studio asks health and setup there before it takes the title
        assert changed["project"] == self.project.id
        if self.project.model_version == self.backend["title"]:
            self.project.model_version = changed["title"]
        self.backend["title"] = changed["title"]
        self.written.append(f"title {changed['title']}")
        return JSONResponse(self.backend)


async def _busy(_request: Request) -> Response:
    return Response(status_code=503)


async def _late(request: Request) -> Response:
    await asyncio.sleep(request.path_params["seconds"])
    return Response(png())

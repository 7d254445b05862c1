"""A Label Studio with accounts, and a backend whose store holds projects of them, with versions."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labelstudio.changes import tasks_of
from store.leases import Lease, lease_name
from store.store import Store
from store.versions import NewVersion, State
from testing.label_studio.server import ThreadedServer
from tests.backend.parts import Backend, running
from tools.project import label_config

LABELS = ("主体", "价格", "LOGO")
CREATED = "2026-11-22T05:46:37Z"
CREATED_S = 1795326397
ANNA, BEN = "anna-token-0123456789abcdef0123456789abcd", "ben-token-0123456789abcdef0123456789abcde"


@dataclass
class Accounts:
    """Which token is whose, and which projects (id → title) it sees. ``asked`` keeps the paths of requests.

    ``files`` are pictures (path → type and content) that are shown to those who see the project in their path
    (``/data/upload/<project>/<name>``); ``gate`` holds their answers back while it is not set.
    """

    people: dict[str, tuple[str, dict[int, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_away: bool = False
    access: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def app(self) -> Starlette:
        def guarded(request: Request) -> tuple[str, dict[int, str]] | None:
            self.asked.append(request.url.path)
            kind, _, token = request.headers.get("authorization", "").partition(" ")
            # As in Label Studio: a personal access token opens nothing by itself, its access token does.
            is_personal = token.count(".") == 2
            if kind == "Bearer":
                return self.people.get(self.access.get(token, ""))
            return None if is_personal else self.people.get(token)

        async def refresh(request: Request) -> Response:
            token = (await request.json()).get("refresh", "")
            if token not in self.people:
                return JSONResponse({"detail": "Token is invalid"}, 401)
            access = f"access-{len(self.access)}"
            self.access[access] = token
            return JSONResponse({"access": access})

        async def who(request: Request) -> Response:
            person = guarded(request)
            if self.is_away:
                return JSONResponse({}, 503)
            return JSONResponse({"id": 1, "email": person[0]} if person else {}, 200 if person else 401)

        async def projects(request: Request) -> Response:
            person = guarded(request)
            if self.is_away or person is None:
                return JSONResponse({}, 503 if self.is_away else 401)
            rows = [{"id": number, "title": title, "created_at": CREATED} for number, title in person[1].items()]
            fields = request.query_params["include"].split(",")
            rows = [{name: row[name] for name in fields} for row in rows]
            return JSONResponse({"results": rows, "next": None})

        async def upload(request: Request) -> Response:
            person, path = guarded(request), request.url.path
            await asyncio.wait_for(self.gate.wait(), 20)
            if person is None or path not in self.files or int(path.split("/")[3]) not in person[1]:
                return JSONResponse({}, 404)
            kind, content = self.files[path]
            return Response(content, media_type=kind)

        pages = [Route("/api/current-user/whoami", who), Route("/api/projects/", projects)]
        pages.append(Route("/data/upload/{project}/{name}", upload))
        return Starlette(routes=[*pages, Route("/api/token/refresh", refresh, methods=["POST"])])


def key_of(number: int, connection: str = "default") -> str:
    return f"{connection}/{number}.{CREATED_S}"


@dataclass
class Desk:
    """A backend, the accounts of its Label Studio, and a browser that keeps cookies."""

    backend: Backend
    accounts: Accounts

    @property
    def store(self) -> Store:
        return self.backend.store

    def browser(self, language: str = "en") -> "Browser":
        return Browser(self.backend.client, language)


class Browser:
    """Asks for pages and sends their forms, as a browser without script would."""

    def __init__(self, client: Any, language: str) -> None:
        self._client = client
        self._headers = {"accept": "text/html", "accept-language": language}
        self.cookies: dict[str, str] = {}
        self.at = "/pages/"

    def get(self, place: str, follow: bool = True, *, if_none_match: str = "", **asked: str) -> httpx.Response:
        headers = {"headers": {**self._headers, "if-none-match": if_none_match}} if if_none_match else {}
        return self._send("GET", f"{place}?{urlencode(asked)}" if asked else place, follow, headers)

    def post(
        self, place: str, fields: dict[str, str], follow: bool = True, files: dict[str, Any] | None = None
    ) -> httpx.Response:
        return self._send("POST", place, follow, {"data": fields, **({"files": files} if files else {})})

    def sign_in(self, token: str, connection: str = "default") -> httpx.Response:
        page = self.get("sign-in")
        return self.post("sign-in", {"form_token": form_token(page), "connection": connection, "token": token})

    def _send(self, method: str, place: str, follow: bool, body: dict[str, Any]) -> httpx.Response:
        url = httpx.URL(f"http://testserver{self.at}").join(place)
        self._client.cookies.clear()
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**body.pop("headers", self._headers), **({"cookie": cookie} if cookie else {})}
        answer: httpx.Response = self._client.request(method, str(url), headers=headers, follow_redirects=False, **body)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        if follow and answer.has_redirect_location:
            target = url.join(answer.headers["location"])
            return self._send("GET", str(target), follow, {})
        return answer


def form_token(page: httpx.Response) -> str:
    """The token of the last form of a page."""
    return str(re.findall(r'name="form_token" value="([0-9a-f]+)"', page.text)[-1])


@contextmanager
def desk(home: Path, **settings: Any) -> Iterator[Desk]:
    """Anna sees the projects 1 and 2, Ben sees 3."""
    people = {
        ANNA: ("anna@shop.test", {1: "Shoes", 2: "Tea <script>alert(1)</script>"}),
        BEN: ("ben@shop.test", {3: "Lamps"}),
    }
    accounts = Accounts(people)
    server = ThreadedServer(accounts.app())
    server.start()
    try:
        with running(home, label_studio_url=server.url, **settings) as backend:
            backend.service.engine.result(20)
            yield Desk(backend, accounts)
    finally:
        server.stop()


def add_project(store: Store, number: int, title: str = "", versions: int = 0, **given: Any) -> str:
    """A project with so many trained versions after its cold start; every third one is refused."""
    key, labels = key_of(number), given.get("labels", LABELS)
    store.projects.ensure(key, label_config(labels), title or f"Project {number}")
    first = NewVersion(0, "v0.0000", "", f"{key}/v0.0000", "cold start", "s", labels, {}, 0, 0, 0)
    store.versions.install(key, first, generation=0)
    lease = store.leases.acquire(lease_name("train", key), "test", ttl=60)
    assert lease
    for version in range(1, versions + 1):
        add_version(store, key, version, lease, labels)
    store.leases.release(lease)
    return key


def add_task(store: Store, number: int, task: int, image: str, **data: str) -> None:
    """A task of a project, with a picture's address and further data."""
    payload = {"id": task, "data": {"image": image, "title": "保温杯", **data}, "updated_at": CREATED}
    store.tasks.upsert(key_of(number), tasks_of([payload]))


def add_version(store: Store, key: str, number: int, lease: Lease, labels: tuple[str, ...] = LABELS) -> None:
    current = store.versions.current(key)
    assert current
    name = f"v{number}.{number:04x}"
    figures = metrics(number, labels)
    new = NewVersion(
        number, name, current.version, f"{key}/{name}", "refine", "s", labels, figures, number, 40 * number, 300
    )
    store.versions.add(key, new, lease)
    if number % 3:
        store.versions.promote(key, number, lease, generation=current.generation, reason=figures["verdict"])
    else:
        store.versions.decide(key, number, lease, state=State.REFUSED, reason=figures["verdict"])


def metrics(number: int, labels: tuple[str, ...] = LABELS) -> dict[str, Any]:
    """What the worker keeps of a version that was judged on 40 items for each number."""
    score = 0.9 - 0.3 / number - (0.05 if number % 3 == 0 else 0)
    classes = {
        label: {
            "precision": score + 0.02,
            "recall": score - 0.03,
            "f1": score,
            "positives": 10 * number,
            "threshold": 0.45,
            "gold": 12 * number,
            "known": 40 * number,
        }
        for label in labels
    }
    return {
        "basis": "out-of-fold",
        "items": 40 * number,
        "macro_f1": score,
        "served_macro_f1": score - 0.02,
        "difference": 0.02,
        "lower_bound": -0.001,
        "log_loss": 0.3,
        "served_log_loss": 0.31,
        "classes": classes,
        "source_accuracy": {
            "nearest gold": dict.fromkeys(labels, 0.9),
            "boxes": dict.fromkeys(labels, 0.8),
            f"{labels[0]}: big": dict.fromkeys(labels, 0.7),
        },
        "unlearnable": {labels[-1]: "none of 40 has it"},
        "verdict": f"macro-F1 {score:.3f} after {score - 0.02:.3f} on {40 * number} out-of-fold items",
    }

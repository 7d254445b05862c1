"""Set-ups in which something is wrong, made for real, by the words of docs/troubleshoot.md's table of the doctor."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from labelstudio.changes import tasks_of
from sources.answers import Kind
from store.database import Database
from store.processes import BACKEND, WORKER
from store.store import Store
from store.webhooks import WebhookState
from tagloom_base.settings import Settings
from testing.label_studio.writable import WritableLabelStudio
from tests.captured import CONFIG
from tests.databases import open_folder, shut
from tests.sleeping import noted_backend
from tests.web import certificate, served
from tools.services.ports import free_port
from tools.services.stack import Stack
from worker import queue
from worker.shared_settings import shared
from worker.webhooks import trouble_of

JSON = {"Content-Type": "application/json"}
SECRET = "a-secret-of-the-url"


@dataclass
class Place:
    """Where a set-up is made: a folder for files, the folder that becomes TAGLOOM_HOME, and the environment."""

    folder: Path
    home: Path
    environment: pytest.MonkeyPatch

    def set(self, **variables: object) -> None:
        for name, value in variables.items():
            self.environment.setenv(name, str(value))


SetUp = Callable[[Place], AbstractContextManager[object]]
SET_UPS: dict[str, SetUp] = {}


def setup(words: str) -> Callable[[Callable[[Place], Iterator[object]]], SetUp]:
    """Register a set-up under the words that the table has for it."""

    def register(make: Callable[[Place], Iterator[object]]) -> SetUp:
        SET_UPS[words] = contextmanager(make)
        return SET_UPS[words]

    return register


def variables(words: str, **values: object) -> None:
    """Register a set-up that consists of environment variables."""

    @setup(words)
    def made(place: Place) -> Iterator[None]:
        place.set(**values)
        yield


variables("a misspelt variable, such as `TAGLOOM_IMAGE_HOST`", TAGLOOM_IMAGE_HOST="img.example.com")
variables("a URL in `TAGLOOM_IMAGE_HOSTS`", TAGLOOM_IMAGE_HOSTS="https://img.example.com/")
variables("a folder in `TAGLOOM_IMAGE_ROOTS` that is not there", TAGLOOM_IMAGE_ROOTS="/no/such/folder")
variables("`TAGLOOM_DEVICE=gpu`", TAGLOOM_DEVICE="gpu")
variables("`TAGLOOM_DEVICE=cuda` without CUDA", TAGLOOM_DEVICE="cuda")
variables("no database in the home", TAGLOOM_PORT=1)
variables("no Label Studio is configured", LABEL_STUDIO_URL="")


@setup("another value here than the running backend has")
def another_value(place: Place) -> Iterator[None]:
    environment = {**os.environ, "TAGLOOM_QUEUE": "tagloom"}
    with noted_backend(place.home, env=environment):
        place.set(TAGLOOM_QUEUE="other")
        yield


@setup("the home or the database may not be written")
def unwritable(place: Place) -> Iterator[None]:
    with open_folder() as folder:
        url = f"sqlite:///{folder / 'tagloom.db'}"
        Database(url).close()
        place.set(TAGLOOM_DATABASE_URL=url, TAGLOOM_HOME=folder)
        with shut(folder / "tagloom.db"):
            yield


@setup("another program holds the database's lock")
def locked(place: Place) -> Iterator[None]:
    database = Database(Settings().paths.database)
    with database.write():
        yield
    database.close()


@setup("this machine lacks the encoder that the home uses")
def lacking_encoder(_: Place) -> Iterator[None]:
    store = Store.open(Settings().paths.database)
    store.encoders.replace({"text": "nobody/model"})
    store.close()
    yield


@setup("the last training failed")
def failing(place: Place) -> Iterator[None]:
    store = Store.open(Settings().paths.database)
    store.projects.ensure("default/2.1795288797", "<View/>", "Shoes")
    store.projects.fail_attempt("default/2.1795288797", "OSError: no space left")
    store.close()
    yield


@setup("a worker lacks a setting that the backend has")
def apart(place: Place) -> Iterator[None]:
    settings = Settings()
    store = Store.open(settings.paths.database)
    store.processes.note("b", BACKEND, shared(settings.changed(image_hosts=("img.example.com",))))
    store.processes.note("w", WORKER, shared(settings))
    store.close()
    yield


@setup("pictures are at a host that is not allowed")
def not_allowed(place: Place) -> Iterator[None]:
    store = Store.open(Settings().paths.database)
    store.projects.ensure("default/2.1795288797", "<View/>", "Shoes")
    store.tasks.upsert("default/2.1795288797", tasks_of([{"id": 1, "data": {}}]))
    reason = "host 'img.example.com' is not allowed: add it to TAGLOOM_IMAGE_HOSTS"
    store.pictures.note("default/2.1795288797", {1: reason})
    store.close()
    yield


@setup("the backend does not run")
def no_backend(place: Place) -> Iterator[None]:
    place.set(TAGLOOM_PORT=free_port())
    yield


def answering(words: str, status: int, answer: dict[str, Any] | None = None) -> None:
    """Register a set-up in which the backend's port gives this answer."""

    @setup(words)
    def made(place: Place) -> Iterator[None]:
        with served(status, JSON, json.dumps(answer or {}).encode()) as url:
            place.set(TAGLOOM_PORT=url.rsplit(":", 1)[1])
            yield


answering("another program has the backend's port", 200, {"status": "UP"})
answering("the backend has other URL secrets or Basic auth", 401, {"detail": "This backend asks for credentials"})
answering("the backend still loads", 200, {"status": "UP", "ready": False})
answering("the backend can't load its encoders", 503, {"status": "DOWN", "ready": False})
answering("the backend at the port is another one", 200, {"status": "UP", "ready": True, "database": "other"})
_TROUBLE = trouble_of(WebhookState(missed=3, missed_until=2.0), started=1.0)
_SILENT = {"project": "default/2.1", "title": "Shoes", "webhook": _TROUBLE.words if _TROUBLE else ""}
answering("no webhook arrives, though labels do", 200, {"status": "UP", "ready": True, "projects": [_SILENT]})


@setup("Redis does not run")
def no_redis(place: Place) -> Iterator[None]:
    place.set(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0?password={SECRET}")
    yield


@contextmanager
def queue_of(place: Place) -> Iterator[str]:
    """Start a Valkey and set REDIS_URL."""
    place.environment.delenv("REDIS_URL", raising=False)
    with Stack(Settings(home=place.folder / "stack")) as stack:
        stack.start_queue()
        place.set(REDIS_URL=stack.environment["REDIS_URL"])
        yield stack.environment["REDIS_URL"]


@setup("Redis wants another password")
def other_password(place: Place) -> Iterator[None]:
    with queue_of(place) as url:
        with redis.Redis.from_url(url) as connection:
            connection.config_set("requirepass", "another")
        place.set(REDIS_URL=url.replace("redis://", f"redis://:{SECRET}@"))
        yield


@setup("no worker listens")
def no_worker(place: Place) -> Iterator[None]:
    with queue_of(place):
        yield


@setup("the queue serves another home")
def another_home(place: Place) -> Iterator[None]:
    with queue_of(place) as url:
        queue.announce(Settings(home=place.folder / "other", redis_url=url))
        queue.announce(Settings(redis_url=url))  # gives this home its name
        queue.announce(Settings(home=place.folder / "other", redis_url=url))
        yield


@setup("Label Studio does not run")
def no_studio(place: Place) -> Iterator[None]:
    place.set(LABEL_STUDIO_URL=f"http://127.0.0.1:{free_port()}")
    yield


@setup("Label Studio is moved to https, and http redirects there")
def redirecting(place: Place) -> Iterator[None]:
    with served(301, {"Location": "https://studio.example{path}"}) as url:
        place.set(LABEL_STUDIO_URL=url)
        yield


@setup("Label Studio's certificate is self-signed")
def self_signed(place: Place) -> Iterator[None]:
    with served(200, JSON, b"{}", certificate(place.folder)) as url:
        place.set(LABEL_STUDIO_URL=url)
        yield


@setup("`SSL_CERT_FILE` names no certificates")
def no_certificates(place: Place) -> Iterator[None]:
    place.set(LABEL_STUDIO_URL="https://studio.example", SSL_CERT_FILE=place.folder / "none.pem")
    yield


@setup("`https://` where Label Studio has no TLS")
def without_tls(place: Place) -> Iterator[None]:
    with served(200, JSON) as url:
        place.set(LABEL_STUDIO_URL=url.replace("http:", "https:"))
        yield


@setup("`http://` where Label Studio has TLS")
def with_tls(place: Place) -> Iterator[None]:
    with served(200, JSON, pem=certificate(place.folder)) as url:
        place.set(LABEL_STUDIO_URL=url.replace("https:", "http:"))
        yield


@setup("a path is missing from `LABEL_STUDIO_URL`")
def without_path(place: Place) -> Iterator[None]:
    with served(404, {"Content-Type": "text/html"}, b"<html>") as url:
        place.set(LABEL_STUDIO_URL=url)
        yield


@setup("a wrong path in `LABEL_STUDIO_URL`")
def wrong_path(place: Place) -> Iterator[None]:
    with served(404, {"Content-Type": "text/html"}, b"<html>") as url:
        place.set(LABEL_STUDIO_URL=f"{url}/studio")
        yield


@setup("another program at `LABEL_STUDIO_URL`")
def other_program(place: Place) -> Iterator[None]:
    with served(200, JSON, b'{"name": "other"}') as url:
        place.set(LABEL_STUDIO_URL=url)
        yield


@contextmanager
def connected(place: Place, change: Callable[[WritableLabelStudio], object]) -> Iterator[None]:
    """A Label Studio whose project Tagloom knows, after this change."""
    studio = WritableLabelStudio(CONFIG, f"http://127.0.0.1:{free_port()}")
    change(studio)
    store = Store.open(Settings().paths.database)
    store.projects.ensure(str(studio.key), CONFIG, "Shoes")
    store.close()
    with studio:
        place.environment.setenv("LABEL_STUDIO_URL", studio.url)
        with suppress(KeyError):
            del os.environ["LABEL_STUDIO_API_KEY"]
        place.set(LABEL_STUDIO_API_KEY=studio.token)
        yield


def unconnected(words: str, change: Callable[[WritableLabelStudio], object], **values: object) -> None:
    """Register a set-up of a project in Label Studio, with environment variables."""

    @setup(words)
    def made(place: Place) -> Iterator[None]:
        place.set(**values)
        with connected(place, change):
            yield


def hooked(**values: object) -> Callable[[WritableLabelStudio], object]:
    return lambda studio: studio.webhooks[0].update(values)


unconnected("the webhook is deleted", lambda studio: studio.webhooks.clear())
unconnected("the webhook is of an old URL", hooked(url="http://127.0.0.1:1/webhook"))
unconnected("the webhook is switched off", hooked(is_active=False))
unconnected("the webhook sends no payload", hooked(send_payload=False))
unconnected(
    "the webhook leaves out annotations",
    hooked(send_for_all_actions=False, actions=["TASKS_CREATED", "ANNOTATION_CREATED"]),
)
unconnected("the project has no ML backend any more", lambda studio: studio.backends.clear())
unconnected("the project is connected to an address where no backend is", lambda _: None)
unconnected("the ML backend's URL lacks the URL secret", lambda _: None, TAGLOOM_URL_SECRETS=SECRET)
unconnected(
    "Basic auth, and the webhook lacks its header",
    lambda _: None,
    TAGLOOM_BASIC_USER="studio",
    TAGLOOM_BASIC_PASSWORD="swordfish-and-chips",
    TAGLOOM_WEBHOOK_SECRET=SECRET,
)


@setup("Label Studio refuses the token")
def wrong_token(place: Place) -> Iterator[None]:
    with connected(place, lambda _: None):
        place.set(LABEL_STUDIO_API_KEY="another-token")
        yield


def with_sources(words: str, code: str, **values: object) -> None:
    """Register a set-up of one file in the operator's folder of sources, with environment variables."""

    @setup(words)
    def made(place: Place) -> Iterator[None]:
        folder = place.folder / "own"
        folder.mkdir()
        (folder / "brand.py").write_text(code)
        place.set(TAGLOOM_SOURCES=folder, **values)
        yield


@contextmanager
def noted_trouble(kind: Kind, text: str) -> Iterator[None]:
    """A source with a trouble that a worker has noted."""
    store = Store.open(Settings().paths.database)
    store.sources.note_all({"brand": ("1", {"from": "brand.py", "requests": "2"})})
    store.sources.trouble("brand", str(kind), text)
    store.close()
    yield


def noted(words: str, kind: Kind, text: str) -> None:
    """Register a set-up in which workers have noted this trouble of a source."""

    @setup(words)
    def made(place: Place) -> Iterator[None]:
        folder = place.folder / "own"
        folder.mkdir()
        (folder / "brand.py").write_text("from sources import source\n@source('brand')\ndef brand(item): pass\n")
        place.set(TAGLOOM_SOURCES=folder)
        with noted_trouble(kind, text):
            yield


with_sources("a file of sources that cannot be loaded", "import not_installed_here")
noted("a source raises", Kind.RAISES, "KeyError: 'x'")
noted("a source takes too long", Kind.SLOW, "more than 20 s (TAGLOOM_SOURCE_SECONDS)")
noted("a source ends its process", Kind.ENDS, "code -9; it may use 2000 MB (TAGLOOM_SOURCE_MEMORY_MB)")
noted("a source failed five times in a row", Kind.RESTS, "5 failures in a row: it is asked again in 10 minutes")
noted(
    "the vision model's budget is used up",
    Kind.BUDGET,
    "2 of 2 requests are used: raise TAGLOOM_VISION_REQUESTS to go on",
)
noted(
    "the vision model did not answer the worker",
    Kind.AWAY,
    "status 500 after 3 tries at http://127.0.0.1:1/v1: start it, or correct TAGLOOM_VISION_URL",
)
variables(
    "the vision model's server does not run",
    TAGLOOM_VISION_URL="http://127.0.0.1:1/v1",
    TAGLOOM_VISION_MODEL="qwen2.5vl:7b",
)
variables("a vision model without a name", TAGLOOM_VISION_URL="http://127.0.0.1:1/v1")


@setup("the vision model's server refuses the key")
def wrong_key(place: Place) -> Iterator[None]:
    with served(401, JSON, b"{}") as url:
        place.set(TAGLOOM_VISION_URL=f"{url}/v1", TAGLOOM_VISION_MODEL="m", TAGLOOM_VISION_KEY=SECRET)
        yield

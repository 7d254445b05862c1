"""Valkey, the backend and one worker, as a context: whatever ends the block ends all of them, in the right order."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import httpx

from tagloom.preflight import redis_answers, require_redis
from tagloom_base.settings import Settings
from tools.services import valkey
from tools.services.child import Child, program
from tools.services.ports import free_port, require_free
from tools.services.record import Record
from tools.services.signals import terminable, undisturbed

START_SECONDS = 90.0


class Stack:
    """The running services of one home folder.

    ``environment`` holds what the children need beyond this process's own environment, by variable name; the same
    lines, printed by :meth:`worker_line`, start another worker by hand.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.home = settings.paths.home.resolve()
        # With worker.rq_settings RQ's parent imports once what each forked job needs.
        own = {"TAGLOOM_HOME": str(self.home), "RQ_CONFIG": "worker.rq_settings"}
        self.environment = {**_chosen_settings(), **own, **(environment or {})}
        self.children: list[Child] = []
        self.ended_leftovers: list[str] = []
        self._record = Record(self.home)
        self._terminable = terminable()

    @property
    def backend_url(self) -> str:
        return f"http://{self.settings.access.host}:{self.settings.access.port}"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def __enter__(self) -> "Stack":
        self.home.mkdir(parents=True, exist_ok=True)
        self.ended_leftovers = self._record.claim()
        self._terminable.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with undisturbed():
            while self.children:
                self.children.pop().stop()
            self._record.release()
        self._terminable.__exit__(kind, error, trace)

    def start(self, child: Child) -> Child:
        """Start a process that ends with the others, in reverse order. Raises UserError when it can't start."""
        # Listed first: a signal between the two must find it.
        self.children.append(child)
        child.start()
        self._record.write({one.name: one.pid for one in self.children if one.pid})
        return child

    def start_queue(self) -> None:
        """Use the server of REDIS_URL when that is set, else start Valkey on a free port."""
        if "redis_url" in self.settings.values_set():
            require_redis(self.settings.work.redis_url)
            url = self.settings.work.redis_url
        else:
            port = free_port()
            url = f"redis://127.0.0.1:{port}/0"
            child = self.start(valkey.embedded(self.home, port, self.logs / "valkey.log"))
            child.wait_until(lambda: redis_answers(url), seconds=START_SECONDS)
        self.environment |= {"REDIS_URL": url, "RQ_REDIS_URL": url}

    def start_backend(self) -> None:
        """Start ``tagloom serve`` and wait for its /health. Raises UserError when its port is taken or it dies."""
        settings = self.settings
        require_free(settings.access.port, settings.access.host, "TAGLOOM_PORT")
        self.environment |= {"TAGLOOM_HOST": settings.access.host, "TAGLOOM_PORT": str(settings.access.port)}
        child = self.start(self._child("backend", [program("tagloom"), "serve"]))
        child.wait_until(lambda: healthy(self.backend_url), seconds=START_SECONDS)

    def start_worker(self, name: str = "worker") -> None:
        """Start one stock RQ worker."""
        self.start(self._child(name, [program("rq"), *self._worker_arguments]))

    def check(self) -> None:
        """Raise UserError when one of the services has ended by itself."""
        for child in self.children:
            child.check()

    def worker_line(self) -> str:
        """The exact line that starts one more worker from any folder."""
        return self._line(["rq", *self._worker_arguments])

    def backend_line(self) -> str:
        """The exact line that starts this backend by hand."""
        return self._line(["tagloom", "serve"])

    @property
    def _worker_arguments(self) -> list[str]:
        return ["worker", "-S", "json", self.settings.work.queue]

    def _child(self, name: str, command: list[str]) -> Child:
        return Child(name, command, log=self.logs / f"{name}.log", environment=self.environment)

    def _line(self, command: list[str]) -> str:
        assignments = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*assignments, program(command[0]), *command[1:]])


def _chosen_settings() -> dict[str, str]:
    """Settings of this process's environment, which another shell lacks; passwords, which no worker needs, left out."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("TAGLOOM_") and not name.endswith(("PASSWORD", "SECRET", "SECRETS"))
    }


def healthy(url: str) -> bool:
    """Whether a backend answers /health with JSON, as Label Studio demands."""
    try:
        # Asked ten times a second, and never over TLS: reading the certificates each time would cost more than asking.
        answer = httpx.get(f"{url}/health", timeout=2, verify=False)
        return answer.is_success and isinstance(answer.json(), dict)
    except (httpx.HTTPError, ValueError):
        return False

"""Valkey, the backend and workers as a context manager, which ends all of them in the right order."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import httpx

from tagloom.preflight import require_free
from tagloom_base.settings import Settings
from tools.services import valkey
from tools.services.child import Child, program
from tools.services.ports import free_port
from tools.services.record import Record
from tools.services.signals import terminable, undisturbed
from worker.queue import redis_answers, require_redis

START_SECONDS = 90.0


class Stack:
    """The running services of one home folder.

    ``environment`` holds the variables that the children need beyond this process's environment. :meth:`worker_line`
    prints the command, with these variables, that starts another worker. ``command`` is the command of Tagloom that
    runs them, as `tagloom down` names it.
    """

    def __init__(
        self, settings: Settings, environment: Mapping[str, str] | None = None, *, command: str = "tagloom"
    ) -> None:
        self.settings = settings
        self.home = settings.paths.home.resolve()
        # With worker.rq_settings, RQ's parent process imports once the modules that all forked jobs need.
        own = {"TAGLOOM_HOME": str(self.home), "RQ_CONFIG": "worker.rq_settings"}
        # Another shell lacks the settings in this process's environment. No worker needs the passwords among them.
        chosen = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("TAGLOOM_") and not name.endswith(("PASSWORD", "SECRET", "SECRETS"))
        }
        self.environment = {**chosen, **own, **(environment or {})}
        self.children: list[Child] = []
        self.ended_leftovers: list[str] = []
        self._record = Record(self.home, command)
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
        # Added to the list before it starts, so that a signal in between ends it too.
        self.children.append(child)
        child.start()
        self._record.write({one.name: one.pid for one in self.children if one.pid})
        return child

    def start_queue(self) -> None:
        """Use the server of REDIS_URL if that is set, else start Valkey on a free port."""
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
        """Start ``tagloom serve`` and wait for its /health. UserError when its port is in use or it ends."""
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
        """Return the command line that starts one more worker from any folder."""
        # Who set a password knows it; a terminal and its log need not.
        secrets = self.settings.secrets
        shown = {
            name: value for name, value in self.environment.items() if not any(secret in value for secret in secrets)
        }
        assignments = [f"{name}={shlex.quote(value)}" for name, value in shown.items()]
        return " ".join([*assignments, program("rq"), *self._worker_arguments])

    @property
    def _worker_arguments(self) -> list[str]:
        return ["worker", "-S", "json", self.settings.work.queue]

    def _child(self, name: str, command: list[str]) -> Child:
        return Child(name, command, log=self.logs / f"{name}.log", environment=self.environment)


def healthy(url: str) -> bool:
    """Return whether a backend answers /health with JSON, as Label Studio requires."""
    try:
        # Called ten times a second, and never with TLS, so the certificates need not be read each time.
        answer = httpx.get(f"{url}/health", timeout=2, verify=False)
        return answer.is_success and isinstance(answer.json(), dict)
    except (httpx.HTTPError, ValueError):
        return False

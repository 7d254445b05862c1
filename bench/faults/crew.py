"""Tagloom's processes, supervised: what is killed starts again at once."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import psutil
from redis import Redis
from redis.exceptions import RedisError

from store.store import Store
from tagloom.demo.simulator import BackendFailed
from tagloom.services import valkey
from tagloom.services.child import Child, program
from tagloom.services.ports import free_port
from tagloom.services.stack import healthy
from tagloom.settings import Settings

WORKERS = ("worker 1", "worker 2")
ROOT = Path(__file__).parents[2]


class Crew:
    """A backend, a Valkey and two stock RQ workers. A context manager."""

    def __init__(self, home: Path, port: int, url: str, token: str, options: Mapping[str, str]) -> None:
        """``options`` are further environment variables."""
        self.home, self.port, redis_port = home, port, free_port()
        self.redis = Redis(port=redis_port, socket_timeout=1, socket_connect_timeout=1)
        self.environment = {
            "TAGLOOM_HOME": str(home),
            "TAGLOOM_PORT": str(self.port),
            "TAGLOOM_DATABASE_URL": "",
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "RQ_CONFIG": "worker.rq_settings",
            "LABEL_STUDIO_URL": url,
            "LABEL_STUDIO_API_KEY": token,
            "PYTHONPATH": f"{ROOT / 'bench' / 'sabotage'}:{ROOT}",
            **options,
        }
        worker = [program("rq"), "worker", "-S", "json", "tagloom"]
        self.children = {
            "valkey": valkey.embedded(home, redis_port, home / "logs" / "valkey.log"),
            "backend": self._child("backend", [program("tagloom"), "serve"]),
            **{name: self._child(name, worker) for name in WORKERS},
        }
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep)

    def __enter__(self) -> "Crew":
        for child in self.children.values():
            child.start()
        self._keeper.start()
        wait(lambda: healthy(self.url), 180, "the backend starts")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._keeper.join()
        for child in reversed(self.children.values()):
            child.stop(2.0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, database_url="")

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """The crew's store, opened by this process."""
        opened = Store.open(self.settings.database)
        try:
            yield opened
        finally:
            opened.close()

    def kill(self, pid: int | None) -> bool:
        """kill -9; False when there is no such process."""
        return pid is not None and send(pid, signal.SIGKILL)

    def horse(self) -> int | None:
        """Process id of a work horse that does a job now, a training if there is one."""
        found = [pid for name in WORKERS for pid in children_of(self.children[name].pid)]
        training = self._training_worker()
        first = children_of(self.children[training].pid) if training else []
        return next(iter([*first, *found]), None)

    def stage(self) -> str:
        """What the running training is at, empty when none runs."""
        return self._started()[1]

    def _training_worker(self) -> str | None:
        pid = self._started()[0]
        return next((name for name in WORKERS if pid and self.children[name].pid == pid), None)

    def _started(self) -> tuple[int | None, str]:
        """Worker and stage of the training that runs, as Redis says: pid or None, stage or empty."""
        with contextlib.suppress(RedisError, ValueError):
            for key in self.redis.scan_iter("rq:job:train-*"):
                status, meta, worker = (self.redis.hget(key, name) for name in ("status", "meta", "worker_name"))
                if status == b"started" and isinstance(worker, bytes):
                    pid = self.redis.hget(f"rq:worker:{worker.decode()}", "pid")
                    stage = json.loads(meta or b"{}").get("stage", "starting")
                    return (int(pid) if pid else None), str(stage)
        return None, ""

    def _keep(self) -> None:
        while not self._stop.wait(0.1):
            for child in self.children.values():
                if child.pid and is_over(child.pid):
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(child.pid, os.WNOHANG)
                    with contextlib.suppress(OSError):  # no room for its log: tried again
                        child.start()

    def _child(self, name: str, command: list[str]) -> Child:
        return Child(name, command, log=self.home / "logs" / f"{name}.log", environment=self.environment)


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False when the process is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def children_of(pid: int | None) -> list[int]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children()] if pid else []
    return []


def is_over(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.1) -> None:
    """Wait until it is true; a dead backend counts as not yet. TimeoutError names what did not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(BackendFailed, httpx.HTTPError):
            if condition():
                return
        time.sleep(every)
    raise TimeoutError(f"not within {seconds:.0f} s: {what}")

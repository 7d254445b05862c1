"""Supervise Tagloom's processes: a killed one is started again at once."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from redis import Redis
from redis.exceptions import RedisError

from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio.simulator import BackendFailed
from tools.services import valkey
from tools.services.child import Child, program
from tools.services.ports import free_port
from tools.services.stack import healthy

WORKERS = ("worker 1", "worker 2")
ROOT = Path(__file__).parents[2]
NAMED = "pid-"  # what a worker's name begins with; its process id follows


@dataclass(frozen=True)
class Training:
    """A training that runs: by which worker, and what it is at."""

    worker: str
    stage: str


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
        # Of a job RQ says by which worker, but an emptied Redis no longer knows that worker's process: its name tells.
        worker = ["sh", "-c", f'exec "$0" worker -S json --name {NAMED}$$ tagloom', program("rq")]
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
        opened = Store.open(self.settings.paths.database)
        try:
            yield opened
        finally:
            opened.close()

    def kill(self, pid: int | None) -> bool:
        """kill -9; False when there is no such process, or none that lives."""
        return pid is not None and not is_over(pid) and send(pid, signal.SIGKILL)

    def horse(self, worker: str) -> int | None:
        """Process id of the work horse that does this worker's job now."""
        return next(iter(children_of(self.children[worker].pid)), None)

    def stage(self) -> str:
        """What the running training is at, empty when none runs."""
        training = self.training()
        return training.stage if training else ""

    def training(self) -> Training | None:
        """The training that runs, as Redis says; not what it still says of a worker that has died."""
        alive = {f"{NAMED}{self.children[name].pid}".encode(): name for name in WORKERS}
        with contextlib.suppress(RedisError, ValueError):
            for key in self.redis.scan_iter("rq:job:train-*"):
                status, meta, named = (self.redis.hget(key, field) for field in ("status", "meta", "worker_name"))
                worker = alive.get(named) if isinstance(named, bytes) else None
                if worker and status == b"started":
                    return Training(worker, str(json.loads(meta or b"{}").get("stage", "starting")))
        return None

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
    """Those that live."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children() if not is_over(child.pid)] if pid else []
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

"""Real RQ workers as an operator starts them, and ways to wait for and to end them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tagloom_base.settings import Settings

ROOT = Path(__file__).parents[2]


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "TAGLOOM_HOME": str(settings.paths.home),
        "TAGLOOM_QUEUE": settings.work.queue,
        "TAGLOOM_SETTLE_SECONDS": str(settings.training.settle_seconds),
        "TAGLOOM_PROMOTION_SECONDS": str(settings.versions.promotion_seconds),
        "TAGLOOM_TRAINING_THREADS": "1",
        "TAGLOOM_TRAINING_PROCESSES": str(settings.training.training_processes),
        "TAGLOOM_VISION_URL": settings.sources.vision_url,
        "TAGLOOM_VISION_MODEL": settings.sources.vision_model,
        "TAGLOOM_VISION_KEY": settings.sources.vision_key.get_secret_value(),
        "TAGLOOM_VISION_REQUESTS_PER_MINUTE": str(settings.sources.vision_requests_per_minute),
        "TAGLOOM_SOURCES": str(settings.sources.sources or ""),
        "REDIS_URL": settings.work.redis_url,
        "RQ_CONFIG": "tests.worker.rq_stub",
        "OMP_NUM_THREADS": "1",
    }


class Worker:
    """One `rq worker -S json`, or what else ``kind`` names."""

    def __init__(self, settings: Settings, *options: str, kind: str = "worker") -> None:
        self.log = settings.paths.home / f"worker-{time.monotonic_ns()}.log"
        command = [str(Path(sys.executable).with_name("rq")), kind, "-S", "json", *options, settings.work.queue]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment(settings), stdout=output, stderr=output, start_new_session=True
            )

    def horse(self) -> psutil.Process | None:
        """The process that does the job now."""
        children = psutil.Process(self.process.pid).children()
        return children[0] if children else None

    def wait(self, seconds: float = 90) -> int:
        return self.process.wait(seconds)

    def end(self) -> None:
        """Kill it and its work horse."""
        if self.process.poll() is None:
            horse = self.horse()
            self.process.kill()
            if horse:
                horse.kill()
        self.process.wait()


@contextmanager
def crew(settings: Settings, *options: str) -> Iterator[Worker]:
    worker = Worker(settings, *options)
    try:
        yield worker
    finally:
        worker.end()

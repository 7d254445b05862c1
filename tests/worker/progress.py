"""Begin a training of the shop's project, and see in the store, in Redis and in the logs how far it is."""

import json
from pathlib import Path

from redis import Redis
from rq import Queue
from rq.job import Job

from model import checkpoint
from model.tagger import Tagger
from store.store import Store
from store.versions import State
from tagloom_base.settings import Settings
from tests.worker import shop
from worker import queue, timer

KEY = str(shop.KEY)


def states(store: Store) -> dict[str, State]:
    """The state of each version."""
    return {entry.version: entry.state for entry in store.versions.list(KEY)}


def is_trained(store: Store) -> bool:
    """Whether a training has seen all gold."""
    project = store.projects.get(KEY)
    assert project
    return not project.has_new_gold


def served(store: Store, settings: Settings) -> str:
    """The version that serves; its checkpoint must load."""
    return tagger_of(store, settings).version


def tagger_of(store: Store, settings: Settings) -> Tagger:
    """The tagger of the version that serves."""
    current = store.versions.current(KEY)
    assert current
    return checkpoint.load(settings.paths.checkpoints / current.folder, space=shop.SPACE)


def queued(settings: Settings, redis: Redis) -> list[Job]:
    """The jobs that wait in the queue."""
    return [job for job in Queue(settings.work.queue, connection=redis, serializer="json").jobs if job]


def training(settings: Settings) -> int:
    """The number of epochs that the running training has done; 0 when none runs."""
    redis = queue.redis_of(settings.work.redis_url)
    for key in redis.scan_iter("rq:job:train-*"):
        meta = redis.hget(key, "meta")
        if isinstance(meta, bytes):
            return int(json.loads(meta).get("epoch", 0))
    return 0


def begin(store: Store, settings: Settings) -> None:
    """Open a shop of 300 tasks, 200 of them labelled, and wake a training that takes several seconds."""
    shop.open_shop(store, settings, tasks=300)
    shop.annotate(store, range(1, 201))
    queue.wake_training(settings, KEY)


def tick(store: Store, settings: Settings) -> bool:
    """Let the timer queue what is due; return whether the project is trained on all its gold."""
    timer.tick(settings, store, "test")
    return is_trained(store)


def log_of(settings: Settings) -> str:
    """The logs of all workers that the test has started."""
    return "".join(path.read_text() for path in sorted(Path(settings.paths.home).glob("worker-*.log")))

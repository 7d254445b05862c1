"""`tagloom doctor`: check what Tagloom needs on this machine, and say what to do about each problem."""

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tagloom.preflight import require_device, require_disk, require_redis, require_writable
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from tagloom_base.values import without_password


@dataclass(frozen=True)
class Finding:
    """The result of one check: whether all is well, and a line that says so or says what to do."""

    well: bool
    text: str


def findings(settings: Settings) -> Iterator[Finding]:
    """Run all checks, and yield each finding at once. A check that fails does not stop the others."""
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("machine", lambda _: f"Python {platform.python_version()}, {os.cpu_count()} cores"),
        ("settings", _changed),
        ("home", _home),
        ("store", _store),
        ("queue", _queue),
        ("workers", _workers),
        ("shared settings", _shared_settings),
        ("pictures", _pictures),
        ("Label Studio", _label_studio),
        ("encoders", _encoders),
    ]
    for name, check in checks:
        try:
            yield Finding(True, f"{name}: {check(settings)}")
        except (UserError, ValueError, OSError) as wrong:
            # The messages of these errors say what to do. Anything else is a bug and ends the command.
            yield Finding(False, f"{name}: {wrong}")


def _changed(settings: Settings) -> str:
    from worker.lexicon import read_lexicon

    read_lexicon(settings.training.lexicon)
    changed = sorted(settings.values_set().items())
    listed = ", ".join(f"{name}={without_password(str(value))}" for name, value in changed)
    return listed or "all as they come"


def _home(settings: Settings) -> str:
    require_disk(settings.paths.home)
    require_writable(settings.paths.home)
    return str(settings.paths.home.resolve())


def _store(settings: Settings) -> str:
    from tagloom.operate import opened

    with opened(settings.paths) as store:
        behind = sum(project.has_new_gold for project in store.projects.all())
        return f"{len(store.projects.all())} projects, {behind} with gold that waits for training"


def _queue(settings: Settings) -> str:
    from worker.queue import require_place

    require_redis(settings.work.redis_url)
    require_place(settings)
    return "Redis or Valkey answers"


def _workers(settings: Settings) -> str:
    import redis
    from rq import Queue, Worker

    try:
        with redis.Redis.from_url(settings.work.redis_url, socket_connect_timeout=2) as connection:
            count = Worker.count(queue=Queue(settings.work.queue, connection=connection))
    except redis.RedisError as away:
        raise UserError("can't be counted while the queue does not answer") from away
    if not count:
        raise UserError(f"none listens: start one with `rq worker -S json {settings.work.queue}`")
    return f"{count} listen to {settings.work.queue}"


def _shared_settings(settings: Settings) -> str:
    from tagloom.operate import opened
    from worker.shared_settings import backend_of, differences, workers_apart

    with opened(settings.paths) as store:
        backend = backend_of(store)
        if backend is None:
            return "no backend runs"
        apart = workers_apart(settings, store, backend.settings)
    if lines := [line for worker in apart for line in differences(backend.settings, worker)]:
        raise UserError("; ".join(lines))
    return "the same for the backend and the workers that have done a job"


def _pictures(settings: Settings) -> str:
    from tagloom.operate import opened
    from worker.pictures import asks_for_change, picture_lines

    with opened(settings.paths) as store:
        there = [project for project in store.projects.all() if not project.gone_at]
        lines = [f"{project.key}: {line}" for project in there for line in picture_lines(store, project)]
    if any(map(asks_for_change, lines)):
        raise UserError("; ".join(lines))
    return "; ".join(lines) or "all that were tried could be read"


def _label_studio(settings: Settings) -> str:
    from labelstudio.api import LabelStudioClient, LabelStudioError
    from labelstudio.connection import Connection

    if not settings.studios.label_studio_url:
        raise UserError("not configured: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or pictures can't be fetched")
    client = LabelStudioClient(
        Connection("default", settings.studios.label_studio_url, settings.studios.label_studio_token), timeout=10
    )
    try:
        return f"{settings.studios.label_studio_url} shows {len(list(client.projects()))} projects"
    except LabelStudioError as refused:
        raise UserError(str(refused)) from refused
    finally:
        client.close()


def _encoders(settings: Settings) -> str:
    from model.features.extraction import open_extractor

    require_device(settings.encoders.device)
    extractor = open_extractor(settings.encoders)
    return "; ".join(f"{part}: {text}" for part, text in extractor.describe().items())

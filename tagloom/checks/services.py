"""Checks of what runs beside Label Studio: database, backend, queue and workers."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from labelstudio.project import DEFAULT_CONNECTION
from labelstudio.webhooks import secrets_of
from tagloom.checks.finding import Finding, good, wrong
from tagloom_base.errors import UserError
from tagloom_base.groups import AccessSettings
from tagloom_base.settings import Settings

# Addresses to listen on that mean all addresses of the machine → one of these, to ask at.
_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}
SECONDS = 5.0


def database(settings: Settings) -> Iterator[Finding]:
    """Check that the database can be read and written, and that no project's last training failed."""
    from sqlalchemy.exc import OperationalError

    from tagloom.operate import opened

    with opened(settings.paths) as store:
        try:
            store.require_writable()
        except OperationalError as held:
            yield wrong(f"takes no writes now ({held.orig}): end what holds its lock, or free the disk, and ask again")
            return
        projects = store.projects.all()
        behind = sum(project.has_new_gold for project in projects)
        yield good(f"{len(projects)} projects, {behind} with gold that waits for training")
        for project in projects:
            if project.failure:
                yield wrong(
                    f"the last training of {project.title or project.key} failed ({project.failure}): mend that; new "
                    "gold or Start training tries again"
                )


def backend(settings: Settings) -> Iterator[Finding]:
    """Check that the backend answers where the settings say, that its encoders are loaded, and that it is this one."""
    answer = asked(settings, "/health")
    told = object_in(answer)
    if answer.status_code == 401:
        raise UserError(
            f"the one at {at(settings.access)} refuses these credentials: give this command its TAGLOOM_URL_SECRETS "
            "or TAGLOOM_BASIC_USER and TAGLOOM_BASIC_PASSWORD"
        )
    if "ready" not in told:
        raise UserError(
            f"what answers at {at(settings.access)} is no Tagloom: end it, or set TAGLOOM_PORT to another port"
        )
    if told.get("status") == "DOWN":
        raise UserError("its encoders can't be loaded: its log says why; mend that and start it again")
    if not told["ready"]:
        raise UserError("its encoders are still loading: ask again in a moment")
    status = object_in(asked(settings, "/status"))
    if status.get("database") not in (None, _identity(settings)):
        raise UserError(
            f"the one at {at(settings.access)} works on another database than {settings.paths.home.resolve()} has: "
            "set TAGLOOM_HOME, TAGLOOM_DATABASE_URL and TAGLOOM_PORT as they are for the backend that you mean"
        )
    yield good(f"answers at {at(settings.access)}")
    for project in status.get("projects", ()):
        if project.get("refused"):
            yield wrong(
                f"it can't load {project['refused']}: free the disk or restore the file; it tries again every 30 s"
            )
        if project.get("webhook"):
            # Of a webhook that is missing, say; the words tell how to mend it.
            yield wrong(f"{project.get('title') or project['project']} gets no labels by webhook: {project['webhook']}")


def queue(settings: Settings) -> Iterator[Finding]:
    """Check that Redis answers, and that the queue serves this home's backend."""
    from worker.place import FILE
    from worker.queue import require_place, require_redis

    require_redis(settings.work.redis_url)
    # Without its file the folder has no name yet, and would get one by the comparison.
    if (settings.paths.home / FILE).exists():
        require_place(settings)
    yield good("Redis or Valkey answers")


def workers(settings: Settings) -> Iterator[Finding]:
    """Check that a worker listens to the queue."""
    from redis.exceptions import RedisError

    from worker.queue import count_workers

    try:
        count = count_workers(settings)
    except RedisError as away:
        raise UserError("can't be counted while the queue does not answer: mend that first") from away
    if not count:
        line = f"RQ_CONFIG=worker.rq_settings rq worker -S json {settings.work.queue}"
        raise UserError(f"none listens to {settings.work.queue}: start one with `{line}`, and give it half a minute")
    yield good(f"{count} listen to {settings.work.queue}")


def at(access: AccessSettings) -> str:
    """Return the backend's address without secrets."""
    host = _ALL.get(access.host, access.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{access.port}"


def asked(settings: Settings, path: str, connection: str = DEFAULT_CONNECTION) -> httpx.Response:
    """Return the backend's answer, asked with a connection's URL secret and Basic auth. UserError when none arrives."""
    access = settings.access
    held = secrets_of(access, settings.studios, connection)
    secret = f"/{held[0]}" if held else ""
    login = httpx.BasicAuth(access.basic_user, access.basic_password.get_secret_value()) if access.basic_user else None
    try:
        # The backend speaks no TLS, and no proxy of the environment knows this machine's ports.
        return httpx.get(f"{at(access)}{secret}{path}", auth=login, timeout=SECONDS, verify=False, trust_env=False)
    except httpx.HTTPError as away:
        raise UserError(f"none answers at {at(access)}: start `tagloom serve`") from away


def object_in(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer; an empty one for anything else."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _identity(settings: Settings) -> str | None:
    """Return the id of this home's database; None when there is none."""
    from tagloom.operate import opened

    try:
        with opened(settings.paths) as store:
            return store.identity()
    except UserError:
        return None

"""Checks of the Label Studios: whether each can be reached, and sends the labels of its projects to the backend."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from tagloom.checks.finding import Finding, good, wrong
from tagloom.checks.projects import looked_up
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings

if TYPE_CHECKING:
    from labelstudio.api import LabelStudioClient
    from labelstudio.connection import Connection

SECONDS = 5.0


def label_studio(settings: Settings) -> Iterator[Finding]:
    """Check that each configured Label Studio lists its projects to Tagloom."""
    from labelstudio.api import LabelStudioError

    connections = _configured(settings)
    if not connections:
        raise UserError("not configured: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or pictures can't be fetched")
    for connection in connections.values():
        try:
            with _client(connection) as client:
                yield good(f"{connection.url} shows {len(list(client.projects()))} projects")
        except (LabelStudioError, UserError) as refused:
            yield wrong(str(refused))


def webhooks(settings: Settings) -> Iterator[Finding]:
    """Check for each known project that Label Studio has it connected, and has a webhook that sends all labels."""
    from labelstudio.api import LabelStudioError
    from labelstudio.presence import project_there
    from labelstudio.project import ProjectKey

    with looked_up(settings) as store:
        projects = [project for project in store.projects.all() if not project.gone_at]
    connections, well, are_missing = _configured(settings), 0, False
    for project in projects:
        key = ProjectKey.parse(project.key)
        if key.connection not in connections:
            continue
        try:
            with _client(connections[key.connection]) as client:
                if project_there(client, key) is None:
                    continue
                missing = _missing(client, key.id, settings, key.connection)
        except (LabelStudioError, UserError) as refused:
            missing = f"can't be looked up ({refused})"
        if missing:
            yield wrong(f"project {key.id} {project.title}".rstrip() + f" {missing}")
        well += not missing
        are_missing |= bool(missing)
    if well or not are_missing:
        yield good(f"{well} projects send their labels")


def _missing(client: "LabelStudioClient", project: int, settings: Settings, connection: str) -> str:
    """Return what keeps a project's labels from the backend, and how to mend it; empty when nothing does."""
    from labelstudio.webhooks import bearer_of, fault, has_secret, place_of, secrets_of, target_of

    secrets = secrets_of(settings.access, settings.studios, connection)
    shown = f"{connection}/{project}" if settings.studios.connections else str(project)
    backends = client.backends(project)
    if not backends:
        return f"has no ML backend: run `tagloom init {shown}`, or connect this one in its Settings → Model"
    own = [one for one in backends if not secrets or has_secret(one, secrets)]
    if not own:
        return (
            "has no ML backend with a secret of TAGLOOM_URL_SECRETS in its URL: "
            f"run `tagloom init {shown}`, or connect http://host:port/<secret>/"
        )
    urls = set(map(target_of, own))
    hooks = [hook for hook in client.webhooks(project) if place_of(hook) in urls]
    if not hooks:
        return (
            f"has no webhook, so no label arrives: run `tagloom init {shown}`, or add {min(urls)} in its Settings → "
            "Webhooks; then Start training"
        )
    faults = [fault(hook, bearer_of(settings.access, settings.studios, connection)) for hook in hooks]
    if "" not in faults:
        return faults[0]
    if not any(_answers(client.connection.url, str(backend.get("url"))) for backend in own):
        return (
            f"is connected to {own[0].get('url')}, where no backend answers: put the address of this one into its "
            "Settings → Model and → Webhooks"
        )
    return ""


def _answers(studio: str, url: str) -> bool:
    """Return whether a backend answers at the address that a Label Studio calls; unknown is yes.

    An address of loopback means this machine if Label Studio runs here too. Other addresses may be known to it alone.
    """
    from backend.access import is_loopback

    if not all(is_loopback(urlsplit(one).hostname or "") for one in (studio, url)):
        return True
    try:
        # Any answer will do: what answers there is `backend`'s question.
        httpx.get(f"{url.rstrip('/')}/health", timeout=SECONDS, verify=False, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def _configured(settings: Settings) -> dict[str, "Connection"]:
    from labelstudio.sites import connections_of

    return {name: entry for name, entry in connections_of(settings.studios).items() if entry.url}


@contextmanager
def _client(connection: "Connection") -> Iterator["LabelStudioClient"]:
    from labelstudio.api import LabelStudioClient

    client = LabelStudioClient(connection, timeout=10)
    try:
        yield client
    finally:
        client.close()

"""Connect a project of Label Studio to the backend, and prove with a real event that its labels will arrive."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from backend.access import Guards, is_loopback
from labelstudio import entry
from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.config import ConfigError, LabelConfig
from labelstudio.connection import Connection
from labelstudio.entry import Entry
from labelstudio.events import Action
from labelstudio.project import ProjectKey
from labelstudio.sites import connections_of
from labelstudio.webhooks import bearer_of, secrets_of
from model.lexicon import names
from store.store import Store
from tagloom import operate
from tagloom.checks import services
from tagloom_base import redaction
from tagloom_base.errors import UsageError, UserError
from tagloom_base.settings import Settings
from worker.labels import kept_guesses
from worker.lexicon import read_lexicon

# Label Studio sends the event before it answers, and gives up after one second; the rest is for a locked database.
EVENT_S = 10.0
TIMEOUT_S = 60.0
# Addresses to listen on that mean all addresses of the machine.
_ALL = ("0.0.0.0", "::")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Connected:
    """What was found and done. ``controls`` maps each control that is answered to its labels, ``labels`` each label to
    what it is taken for; ``left_out`` are the controls that are left to the annotator, with reasons. ``changed`` says
    what is new in Label Studio, ``notes`` what somebody should still do.
    """

    project: str
    title: str
    url: str
    controls: Mapping[str, Sequence[str]]
    labels: Mapping[str, str]
    left_out: Sequence[str]
    changed: Sequence[str]
    notes: Sequence[str]
    event_seconds: float


def connect(settings: Settings, name: str, url: str, say: Say) -> Connected:
    """Connect the project with this name or number; ``url`` is the backend's as Label Studio calls it, or empty.

    Each step is said when it is done. What is there already stays, so the whole may be run again. Raises UserError,
    which names the fix, at the first step that fails.
    """
    Guards.of(settings.access, settings.studios)
    with _found(settings, name) as (client, project):
        connection = client.connection
        key = ProjectKey.of_webhook(project, connection.name)
        title = str(project.get("title") or "")
        say(f"project {key.id} {title} of {connection.url}")
        config = _config(settings, project)
        controls = {control.name: tuple(control.labels) for control in config.controls}
        for control, held in controls.items():
            say(f"answered: {control} ({', '.join(held)})")
        for left in config.left_out:
            say(f"left to the annotator: {left}")
        wanted = Entry(
            _address(settings, connection, url),
            settings.access.basic_user,
            settings.access.basic_password,
            SecretStr(bearer_of(settings.access, settings.studios, connection.name)),
        )
        for finding in _backend(settings):
            say(f"backend: {finding}")
        with operate.told():
            changed = entry.ensure(client, key.id, wanted)
        for change in changed or ["nothing to change: ML backend and webhook are there"]:
            say(change)
        with operate.opened(settings.paths) as store:
            seconds = _prove(store, client, key, wanted)
        say(f"an event arrived after {seconds:.2f} s: labels of this project reach the backend")
        lexicon = read_lexicon(settings.training.lexicon)
        # The backend has guessed at the request that Label Studio sent when it was connected.
        guesses = kept_guesses(settings.paths.checkpoints, str(key), lexicon, config.names)
        labels = names.told(lexicon, config.names, guesses)
        for label, meaning in labels.items():
            say(f"label {label}: {meaning}")
        with operate.told():
            notes = _notes(client, key.id, wanted)
        for note in notes:
            say(f"still to do: {note}")
    return Connected(
        str(key), title, redaction.redacted(wanted.url), controls, labels, config.left_out, changed, notes, seconds
    )


@contextmanager
def _found(settings: Settings, name: str) -> Iterator[tuple[LabelStudioClient, Mapping[str, Any]]]:
    """Yield the client and the object of the project that a name means: id, ``connection/id``, title or its beginning.

    Raises UserError when no project, or several, have the name, or no Label Studio that is asked answers.
    """
    every = {label: one for label, one in connections_of(settings.studios).items() if one.url}
    if not every:
        raise UserError(
            "no Label Studio is configured: set LABEL_STUDIO_URL to its address and LABEL_STUDIO_API_KEY to a token "
            "(its Account & Settings → Access Token)"
        )
    before, _, number = name.rpartition("/")
    if before and before not in every:
        raise UserError(f"there is no connection {before!r}: choose one of {', '.join(every)}")
    candidates: list[tuple[Connection, Mapping[str, Any]]] = []
    listed = []
    with operate.told():
        for connection in [every[before]] if before else every.values():
            with closing(LabelStudioClient(connection, timeout=TIMEOUT_S)) as client:
                projects = list(client.projects())
            listed += [f"{one['id']} {one.get('title')}" for one in projects]
            candidates += [(connection, one) for one in _named(projects, number)]
    if len(candidates) > 1:
        shown = ", ".join(f"{where.name}/{one['id']} {one.get('title')}" for where, one in candidates)
        raise UserError(f"choose one of these projects: {shown}")
    if not candidates:
        shown = f"choose one of these: {', '.join(listed)}" if listed else "the token's user sees none: make one there"
        raise UserError(f"Label Studio has no project {number!r}: {shown}")
    ((connection, project),) = candidates
    with closing(LabelStudioClient(connection, timeout=TIMEOUT_S)) as client:
        yield client, project


def _named(projects: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    wanted = name.casefold()
    exact = [one for one in projects if wanted in (str(one["id"]), str(one.get("title")).casefold())]
    return exact or [one for one in projects if wanted and str(one.get("title")).casefold().startswith(wanted)]


def _config(settings: Settings, project: Mapping[str, Any]) -> LabelConfig:
    try:
        return LabelConfig.parse(str(project.get("label_config") or ""), settings.tasks.industry_keys)
    except ConfigError as unusable:
        raise UserError(
            f"the labelling config can't be answered: {unusable} (in its Settings → Labeling Interface; the README has "
            "one to begin with)"
        ) from unusable


def _address(settings: Settings, connection: Connection, url: str) -> str:
    """Return the backend's address for Label Studio, with the URL secret. UserError where it must be given."""
    access = settings.access
    if not url:
        is_elsewhere = not is_loopback(urlsplit(connection.url).hostname or "")
        if is_elsewhere and (access.host in _ALL or is_loopback(access.host)):
            listening = ", and set TAGLOOM_HOST so that it listens there" if is_loopback(access.host) else ""
            raise UserError(
                f"Label Studio at {connection.url} runs elsewhere: give the address at which it reaches this backend "
                f"by --url http://host:{access.port}{listening}"
            )
        url = services.at(access)
    elif urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise UsageError(f"--url {url} is no address: write it as http://host:{access.port}")
    held = secrets_of(access, settings.studios, connection.name)
    if not held or set(held) & set(urlsplit(url).path.split("/")):
        return url.rstrip("/")
    return f"{url.rstrip('/')}/{held[0]}"


def _backend(settings: Settings) -> Iterator[str]:
    """Yield what `tagloom doctor` says of the backend, which must answer."""
    try:
        for finding in services.backend(settings):
            yield finding.text
    except UserError as away:
        raise UserError(f"the backend can't be used: {away}") from away


def _prove(store: Store, client: LabelStudioClient, key: ProjectKey, wanted: Entry) -> float:
    """Have Label Studio send an event that changes nothing, and return the seconds until it was stored."""
    action = str(Action.PROJECT_UPDATED)
    before, began = store.journal.newest(str(key), action), time.monotonic()
    try:
        client.change_project(key.id, {})
    except LabelStudioError as refused:
        raise UserError(f"Label Studio lets this token's user change nothing in the project ({refused})") from refused
    while (waited := time.monotonic() - began) < EVENT_S:
        if store.journal.newest(str(key), action) > before:
            return waited
        time.sleep(0.1)
    raise UserError(
        f"no event of Label Studio arrived within {EVENT_S:.0f} s, so no label would: start it with "
        "SSRF_PROTECTION_ENABLED=false if the backend's address is private; see its log for `webhook`, and the "
        f"backend's for `turned away`; on its machine, `curl {wanted.url}/health` must answer"
    )


def _notes(client: LabelStudioClient, project_id: int, wanted: Entry) -> list[str]:
    """Return what an annotator would miss although all is connected."""
    project, backends = client.project(project_id), client.backends(project_id)
    first, own = backends[0], next(one for one in backends if entry.is_at(one, wanted.url))
    notes = []
    if first["id"] != own["id"]:
        notes.append(
            f"Label Studio asks only the first ML backend, which is {first.get('title')}: delete it in the project's "
            "Settings → Model if this one shall predict"
        )
    elif project.get("model_version") != own.get("title"):
        notes.append(f"choose {own.get('title')} for the predictions in the project's Settings → Annotation")
    if not project.get("show_collab_predictions", True):
        notes.append("switch on Use predictions to prelabel tasks in the project's Settings → Annotation")
    return notes

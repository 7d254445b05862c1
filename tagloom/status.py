"""What `tagloom status` tells: the backend's /status, or while it is away the same from the database."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labelstudio.config import LabelConfig
from labelstudio.project import DEFAULT_CONNECTION
from store.projects import Project
from store.store import Store
from tagloom.checks.services import asked, at, object_in
from tagloom.operate import table
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings

if TYPE_CHECKING:
    from backend.engine import Engine

_HEADINGS = ("project", "title", "version", "tasks", "behind", "state")


@dataclass(frozen=True)
class Backend:
    """Where a status comes from: the backend at ``url``, or the database, and then ``away`` says why."""

    url: str
    away: str = ""

    def line(self) -> str:
        return f"the database says (the backend is away: {self.away})" if self.away else f"{self.url} says"


@dataclass(frozen=True)
class Told:
    """A status: of the whole backend, and of the projects that were asked for."""

    backend: Backend
    status: Mapping[str, Any]
    projects: Sequence[Mapping[str, Any]]

    @property
    def document(self) -> dict[str, Any]:
        source = {"answers": not self.backend.away, "url": self.backend.url, "away": self.backend.away}
        return {"backend": source, **self.status, "projects": list(self.projects)}


def status(settings: Settings, store: Store, projects: Sequence[Project]) -> Told:
    """Return the status of these projects, from the backend of the settings, or from the store while it is away."""
    connections = sorted({project.key.partition("/")[0] for project in projects} or {DEFAULT_CONNECTION})
    url = at(settings.access)
    try:
        parts = [_of_backend(settings, store, connection) for connection in connections]
        backend = Backend(url)
    except UserError as away:
        parts = [_of_store(settings, store, connection) for connection in connections]
        backend = Backend(url, str(away))
    wanted = {project.key for project in projects}
    told = [one for part in parts for one in part["projects"] if one["project"] in wanted]
    return Told(backend, {name: value for name, value in parts[0].items() if name != "projects"}, told)


def lines(told: Told, *, is_one: bool) -> Iterator[str]:
    """Yield a table of the projects, then what is to be said of each; of a single project all fields."""
    yield told.backend.line()
    for part, name in told.status["encoders"].items():
        yield f"{part} encoder: {name}"
    rows = [(one["project"], one["title"], _version(one), str(one["tasks"]), str(one["behind"]), _state(one))
            for one in told.projects]  # fmt: skip
    yield from ("", *(table([_HEADINGS, *rows]) if rows else ["no project is known yet"]))
    for one in told.projects:
        notes = [*_notes(one), *(_details(one) if is_one else ())]
        if notes:
            yield from ("", f"{one['project']}  {one['title']}".rstrip(), *(f"  {note}" for note in notes))
    apart = told.status["settings"]
    if apart:
        yield from ("", *apart)
    for source in told.status["sources"]:
        for kind, text in source["troubles"].items():
            yield f"source {source['name']} {kind}: {text}"


def _of_backend(settings: Settings, store: Store, connection: str) -> Mapping[str, Any]:
    """Return /status of one connection. Raises UserError when it does not arrive, or is another backend's."""
    answer = asked(settings, "/status", connection)
    told = object_in(answer)
    if answer.status_code == 401:
        raise UserError("it refuses these credentials: give this command its TAGLOOM_URL_SECRETS, or user and password")
    if "projects" not in told:
        raise UserError(f"what answers at {at(settings.access)} is no Tagloom of this release")
    if told.get("database") != store.identity():
        raise UserError(f"the one at {at(settings.access)} works on another database")
    return told


def _of_store(settings: Settings, store: Store, connection: str) -> Mapping[str, Any]:
    # They load torch, which the backend's own answer does not need.
    from backend.status import status_of
    from worker.encoders import foreseen
    from worker.shared_settings import shared

    settled = foreseen(settings, store.encoders)
    return status_of(_Desk(settled, store, shared(settled)), connection).model_dump(mode="json")


@dataclass
class _Desk:
    """What the backend's service knows, as far as the store and the home's files have it: no model is in memory."""

    settings: Settings
    store: Store
    shared: dict[str, str]
    engine: "Future[Engine]" = field(default_factory=Future)

    def config(self, xml: str, industry_keys: tuple[str, ...] = ()) -> LabelConfig:
        return LabelConfig.parse(xml, industry_keys or self.settings.tasks.industry_keys)

    def labels_told(self, key: str, config: LabelConfig) -> dict[str, str]:
        from model.lexicon import names
        from worker.labels import kept_guesses
        from worker.lexicon import read_lexicon

        lexicon = read_lexicon(self.settings.training.lexicon)
        guesses = kept_guesses(self.settings.paths.checkpoints, key, lexicon, config.names)
        return names.told(lexicon, config.names, guesses)

    def webhook_told(self, key: str) -> tuple[str, float]:
        from worker.webhooks import trouble_of

        state = self.store.webhooks.all().get(key)
        # Silence is known while a backend runs, since it may be the reason.
        trouble = trouble_of(state, self.store.now()) if state else None
        return trouble.words if trouble else "", state.switched_on_at if state else 0.0


def _version(one: Mapping[str, Any]) -> str:
    """Return the version that shall serve, and which one the backend has in memory, if that is another."""
    if one["serving"] in (None, one["version"]):
        return one["version"] or "none"
    return f"{one['version']}, in memory {one['serving']}"


def _state(one: Mapping[str, Any]) -> str:
    if one["gone"]:
        return "gone from Label Studio"
    if one["failure"]:
        return "the last training failed"
    if one["refused"]:
        return "a version cannot be loaded"
    if not one["version"]:
        return "no version yet"
    return "gold waits for training" if one["behind"] else "up to date"


def _notes(one: Mapping[str, Any]) -> Iterator[str]:
    """Yield what somebody should look at."""
    if one["failure"]:
        yield f"training failed: {one['failure']}"
    if one["refused"]:
        yield f"cannot be loaded: {one['refused']}"
    if one["warning"]:
        yield f"warning: {one['warning']}"
    yield from (f"picture: {line}" for line in one["pictures"])
    yield from (f"left to the annotator: {line}" for line in one["left_out"])


def _details(one: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"label {label}: {text}" for label, text in one["labels"].items())
    yield from (f"gold, in {count} tasks: {note}" for note, count in one["gold_notes"].items())
    yield from (f"reading, in {count} pictures: {note}" for note, count in one["picture_notes"].items())
    yield from (f"source {name} has said something of {count} items" for name, count in one["said"].items())
    for source, accuracy in one["source_accuracy"].items():
        shares = ", ".join(f"{label} {share:.2f}" for label, share in accuracy.items())
        yield f"source {source} is right on gold: {shares}"

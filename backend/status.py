"""The answer of /status: the served versions, refused versions and training state of a connection's projects."""

from concurrent.futures import Future
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from labelstudio.config import ConfigError, LabelConfig
from worker.pictures import picture_lines
from worker.shared_settings import differences, workers_apart

if TYPE_CHECKING:
    from backend.engine import Engine
    from store.store import Store
    from store.versions import Current
    from tagloom_base.settings import Settings


class Asked(Protocol):
    """Of whom a status is asked: the backend's service, or a command that looks while no backend runs."""

    settings: "Settings"
    store: "Store"
    shared: dict[str, str]
    engine: "Future[Engine]"

    def config(self, xml: str, industry_keys: tuple[str, ...] = ()) -> LabelConfig:
        """Return the parsed labelling config. Raises ConfigError."""

    def labels_told(self, key: str, config: LabelConfig) -> dict[str, str]:
        """Return what each of a project's labels is taken for."""

    def webhook_told(self, key: str) -> tuple[str, float]:
        """Return what is wrong with a project's webhook, in words, and when it was last switched on again, or 0."""


class ProjectStatus(BaseModel):
    """One project. ``behind`` counts the changes of gold labels that no training has used yet.

    ``labels`` says for each label which kind of the lexicon it is taken for, or why it is taken for none. ``left_out``
    are the controls of the labelling config that are left to the annotator, with the reasons. Both are empty for a
    labelling config that cannot be used.
    ``gold_notes`` maps what the last training found unknown or overruled in annotations to the number of tasks.
    ``picture_notes`` maps what was not shown or read as usual to the number of pictures. ``warning`` is a problem of
    the served version that was found after it was installed. ``gone`` says that Label Studio has no such project, so
    no jobs run for it. ``unread_gold`` counts the tasks whose gold the last training used without the picture, or left
    out. ``pictures`` says which pictures are missing, why, and what to change. ``source_accuracy`` maps each source of
    the served version to its accuracy on gold by label; ``said`` each source of others to the number of items of which
    it has said something. ``draw_seconds`` are the seconds of a drawn box with which the served version reckons, and on
    how many annotations they were measured; empty for a cold start.
    """

    model_config = ConfigDict(protected_namespaces=())

    project: str
    title: str
    version: str | None
    serving: str | None
    tasks: int
    behind: int
    failure: str
    refused: str | None
    gold_notes: dict[str, int]
    picture_notes: dict[str, int]
    warning: str
    gone: bool
    labels: dict[str, str]
    left_out: list[str]
    unread_gold: int
    pictures: list[str]
    source_accuracy: dict[str, dict[str, float]]
    said: dict[str, int]
    webhook: str
    webhook_switched_on_at: float
    draw_seconds: dict[str, float]


class SourceStatus(BaseModel):
    """A source of others. ``version`` is empty for one that cannot be loaded or has gone.

    ``about`` says where it comes from and what it may cost, ``spent`` what it has cost. ``troubles`` maps each kind of
    trouble to what was said last, ``times`` to how often it happened.
    """

    name: str
    version: str
    about: dict[str, str]
    spent: dict[str, int | float]
    troubles: dict[str, str]
    times: dict[str, int]


class Status(BaseModel):
    """The backend. ``ready`` says that the models are loaded, ``encoders`` describes them.

    ``better_encoders`` says which better ones can be had, and how.
    ``database`` is the random id of the backend's database, by which `tagloom doctor` recognises it. A project's
    ``serving`` differs from its ``version`` while a new version loads, or when it was refused. ``settings`` names each
    setting in which a worker differs from this backend. ``sources`` are those that others wrote.
    """

    ready: bool
    database: str
    encoders: dict[str, str]
    better_encoders: list[str]
    settings: list[str]
    sources: list[SourceStatus]
    projects: list[ProjectStatus]


def status_of(service: Asked, connection: str) -> Status:
    """Return the status of the backend and of one connection's projects."""
    engine = service.engine.result() if service.engine.done() and not service.engine.exception() else None
    serving = engine.shelf.all() if engine else {}
    current = service.store.versions.all_current()
    projects = []
    for entry in service.store.projects.all():
        if not entry.key.startswith(f"{connection}/"):
            continue
        refusal = engine.refusals.get(entry.key) if engine else None
        trouble, switched_on_at = service.webhook_told(entry.key)
        metrics = _metrics(service, entry.key, current.get(entry.key))
        try:
            config = service.config(entry.label_config, entry.industry_keys)
        except ConfigError:
            config = None
        projects.append(
            ProjectStatus(
                project=entry.key,
                title=entry.title,
                version=current[entry.key].version if entry.key in current else None,
                serving=serving[entry.key].version if entry.key in serving else None,
                tasks=service.store.tasks.count(entry.key),
                behind=entry.gold_revision - entry.trained_revision,
                failure=entry.failure,
                refused=f"{refusal.version}: {refusal.reason}" if refusal else None,
                gold_notes=dict(entry.gold_notes),
                picture_notes=service.store.picture_notes.of(entry.key),
                warning=current[entry.key].note if entry.key in current else "",
                gone=bool(entry.gone_at),
                labels=service.labels_told(entry.key, config) if config else {},
                left_out=list(config.left_out) if config else [],
                unread_gold=entry.unread_gold,
                pictures=picture_lines(service.store, entry),
                source_accuracy=metrics.get("source_accuracy", {}),
                said=service.store.source_opinions.counts(entry.key),
                webhook=trouble,
                webhook_switched_on_at=switched_on_at,
                draw_seconds=metrics.get("draw_seconds", {}),
            )
        )
    apart = workers_apart(service.settings, service.store, service.shared)
    return Status(
        ready=engine is not None,
        database=service.store.identity(),
        encoders=engine.extractor.describe() if engine else {},
        better_encoders=engine.better_encoders if engine else [],
        # Without the values: they may be of another connection.
        settings=[line for worker in apart for line in differences(service.shared, worker, values=False)],
        sources=[
            SourceStatus(
                name=one.name,
                version=one.version,
                about=dict(one.about),
                spent=asdict(one.spent),
                troubles=dict(one.troubles),
                times=dict(one.times),
            )
            for one in service.store.sources.all()
        ],
        projects=projects,
    )


def _metrics(service: Asked, key: str, current: "Current | None") -> dict[str, Any]:
    """Return the served version's metrics; empty without one."""
    served = next((one for one in service.store.versions.list(key) if current and one.number == current.number), None)
    return dict(served.metrics) if served else {}

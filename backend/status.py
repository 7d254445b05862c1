"""The answer of /status: the served versions, refused versions and training state of a connection's projects."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from backend.service import Service


class ProjectStatus(BaseModel):
    """One project. ``behind`` counts the changes of gold labels that no training has used yet.

    ``gold_notes`` maps what the last training found unknown or overruled in annotations to the number of tasks.
    ``warning`` is a problem of the served version that was found after it was installed. ``gone`` says that Label
    Studio has no such project, so no jobs run for it.
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
    warning: str
    gone: bool


class Status(BaseModel):
    """The backend. ``ready`` says that the models are loaded, ``encoders`` describes them.

    ``database`` is the random id of the backend's database, by which `tagloom doctor` recognises it. A project's
    ``serving`` differs from its ``version`` while a new version loads, or when it was refused.
    """

    ready: bool
    database: str
    encoders: dict[str, str]
    projects: list[ProjectStatus]


def status_of(service: "Service", connection: str) -> Status:
    """Return the status of the backend and of one connection's projects."""
    engine = service.engine.result() if service.engine.done() and not service.engine.exception() else None
    serving = engine.shelf.all() if engine else {}
    current = service.store.versions.all_current()
    projects = []
    for entry in service.store.projects.all():
        if not entry.key.startswith(f"{connection}/"):
            continue
        refusal = engine.refusals.get(entry.key) if engine else None
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
                warning=current[entry.key].note if entry.key in current else "",
                gone=bool(entry.gone_at),
            )
        )
    return Status(
        ready=engine is not None,
        database=service.store.identity(),
        encoders=engine.extractor.describe() if engine else {},
        projects=projects,
    )

"""What an operator asks of a project, for commands and pages alike: another version, a training, a comparison.

The store notes what was asked for, so it is done even if Redis is away or empty; Redis only says it sooner.
"""

from dataclasses import dataclass

from store.store import Store
from store.versions import State
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker import queue


@dataclass(frozen=True)
class Asked:
    """What was asked for. ``revision``: a training has done it once it has used the gold up to this revision; ``at``: a
    reconcile once it has ended after this time (`Store.now`). ``is_queued``: Redis knows of it already.
    """

    revision: int
    at: float
    is_queued: bool


def promote(store: Store, project_key: str, version: str) -> str:
    """Make a version serve, even if promotion refused it, and return its name, of which the beginning is enough.

    Raises UserError when it cannot serve, and with the candidates when several versions begin so.
    """
    names = [entry.version for entry in store.versions.list(project_key)]
    begun = [name for name in names if name.startswith(version)]
    if version not in names and len(begun) > 1:
        raise UserError(f"{version!r} may be each of {', '.join(begun)}: write more of it")
    try:
        return store.versions.override(project_key, begun[0] if len(begun) == 1 else version).version
    except ValueError as refused:
        raise UserError(str(refused)) from refused


def roll_back(store: Store, project_key: str) -> str:
    """Make the version serve that served before the present one, and return its name. UserError when none did."""
    served = [version for version in store.versions.list(project_key) if version.state == State.SUPERSEDED]
    if not served:
        raise UserError(f"{project_key} has no earlier version to go back to: `tagloom versions` lists them")
    return promote(store, project_key, max(served, key=lambda version: version.promoted_at).version)


def start_training(settings: Settings, store: Store, project_key: str) -> Asked:
    """Ask for a comparison with Label Studio and a training, also without new gold, as *Start training* does."""
    asked_at = store.now()
    note_training(store, project_key)
    project = store.projects.get(project_key)
    revision = project.gold_revision if project else 0
    queue.wake_reconcile(settings, project_key)
    return Asked(revision, asked_at, queue.wake_training(settings, project_key))


def note_training(store: Store, project_key: str) -> None:
    """Note that a comparison and a training are due, without waking a worker. Raises SQLAlchemyError."""
    store.projects.request_reconcile(project_key, urgent=True)
    store.projects.request_training(project_key)


def start_reconcile(settings: Settings, store: Store, project_key: str) -> Asked:
    """Ask for a comparison with Label Studio, at once."""
    asked_at = store.now()
    store.projects.request_reconcile(project_key, urgent=True)
    return Asked(0, asked_at, queue.wake_reconcile(settings, project_key))

"""What an operator asks of a project, for commands and pages alike: a training, a comparison with Label Studio.

The store notes what was asked for, so it is done even if Redis is away or empty; Redis only says it sooner.
"""

from dataclasses import dataclass

from store.store import Store
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

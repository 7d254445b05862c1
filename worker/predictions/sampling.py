"""Uncertainty sampling in Label Studio's community edition, which serves the lowest score of one version first.

It goes by predictions whose version equals the project's `model_version`, and asks the backend only while that is the
backend's title. So a new version first gets its predictions, then the backend is called by its name, then the project
goes by it: in this order there is no moment at which tasks come at random or the backend is not asked.
"""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from labelstudio.api import LabelStudioClient
from labelstudio.project import ProjectKey
from store.projects import Project
from store.store import Store
from tagloom.errors import UserError
from tagloom.settings import Settings
from worker.predictions.preannotation import Progress, refresh
from worker.training.watch import Ends, Interrupted
from worker.workplace import Workplace

LOG = logging.getLogger(__name__)

SAMPLING = "Uncertainty sampling"
PAUSE_S = 60.0  # after a failure, so that a Label Studio that is away is not asked all the time


def due(settings: Settings, store: Store) -> list[str]:
    """Keys of projects whose sampling does not go by their served version yet, and that may be tried now."""
    if not settings.uncertainty_sampling:
        return []
    return [key for key in store.projects.waiting_for_offer() if not store.leases.held(_pause(key))]


def offer(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    """Let the project's sampling go by the version that serves; a line about it.

    A run that was ended goes on where it stopped. Raises what `refresh` does, and UserError when the backend that Label
    Studio asks is not this one; then it is tried again a minute later.
    """
    try:
        return _offer(workplace, project, watch, progress)
    except Interrupted:
        raise
    except Exception:
        workplace.store.leases.acquire(_pause(project.key), f"{os.uname().nodename}:{os.getpid()}", PAUSE_S)
        raise


def _offer(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    client, number = workplace.client_of(project), ProjectKey.parse(project.key).id
    if not client.connection.url:
        raise UserError("uncertainty sampling needs LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
    done = refresh(workplace, project, watch, progress, unlabelled_only=True)
    _set_title(client, number, done.version, {entry.version for entry in workplace.store.versions.list(project.key)})
    _set_version(client, number, done.version)
    workplace.store.projects.set_offered(project.key, done.generation)
    return str(done)


def _set_title(client: LabelStudioClient, number: int, version: str, ours: Collection[str]) -> None:
    backend = _own(client.backends(number), ours)
    if backend["title"] != version:
        client.rename_backend(backend, version)


def _own(backends: Sequence[Mapping[str, Any]], ours: Collection[str]) -> Mapping[str, Any]:
    """Label Studio asks a project's first backend only."""
    if backends and str(backends[0].get("model_version")) in ours:
        return backends[0]
    raise UserError(
        "the project's first ML backend in Label Studio is not this one: uncertainty sampling is left alone"
    )


def _set_version(client: LabelStudioClient, number: int, version: str) -> None:
    wanted = {"model_version": version, "sampling": SAMPLING}
    there = client.project(number)
    if any(there.get(name) != value for name, value in wanted.items()):
        client.change_project(number, wanted)


def _pause(project_key: str) -> str:
    return f"pause predict:{project_key}"

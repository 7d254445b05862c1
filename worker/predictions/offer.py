"""Label Studio gets each served version's predictions ahead of the annotator, and its sampling goes by them."""

import os
from functools import lru_cache

from labelstudio.api import LabelStudioError
from labelstudio.project import ProjectKey
from store.leases import lease_name
from store.projects import Project
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.groups import VersionSettings
from worker.predictions import sampling
from worker.predictions.preannotation import Progress, refresh
from worker.watch import Ends, Interrupted
from worker.workplace import Workplace

PAUSE_S = 60.0  # after a failure, so that a Label Studio that is away is not asked all the time
PAUSE = "pause predict"  # kind of the lease that is held for so long
LONG_PAUSE_S = 600.0  # where somebody has to change something first: a token, an address, the order of backends


def is_wanted(versions: VersionSettings) -> bool:
    """Whether Label Studio shall get any predictions that it has not asked for."""
    return versions.refresh_predictions or versions.uncertainty_sampling


def due(versions: VersionSettings, store: Store) -> list[str]:
    """Keys of projects that have not got the version that serves them yet, and that may be tried now."""
    if not is_wanted(versions):
        return []
    return [
        key for key in store.projects.waiting_for_offer() if not store.leases.held(lease_name(PAUSE, key), LONG_PAUSE_S)
    ]


def offer(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    """Let the project's stored predictions, and its sampling if wanted, be of the served version; a line about it.

    A run that was ended goes on where it stopped. Raises what `refresh` does, and UserError when sampling is wanted and
    the backend that Label Studio asks is not this one; then it is tried again some minutes later.
    """
    try:
        return _offer(workplace, project, watch, progress)
    except Interrupted:
        raise
    except Exception as error:
        is_away = isinstance(error, LabelStudioError) and (error.status is None or error.status >= 500)
        holder = f"{os.uname().nodename}:{os.getpid()}"
        workplace.store.leases.acquire(lease_name(PAUSE, project.key), holder, PAUSE_S if is_away else LONG_PAUSE_S)
        raise


def _offer(workplace: Workplace, project: Project, watch: Ends, progress: Progress) -> str:
    client, by_sampling = workplace.client_of(project), workplace.settings.versions.uncertainty_sampling
    if not client.connection.url:
        if by_sampling:
            raise UserError("uncertainty sampling needs LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
        workplace.store.projects.set_offered(project.key, workplace.serving(project).generation)
        return "no Label Studio is configured: set LABEL_STUDIO_URL to refresh its predictions"
    number = ProjectKey.parse(project.key).id

    @lru_cache
    def go_by(version: str) -> None:
        if by_sampling:
            ours = {entry.version for entry in workplace.store.versions.list(project.key)}
            sampling.go_by(client, number, version, ours)

    # Early: the least certain tasks are among the first that are written, and what was stored before ever less.
    done = refresh(
        workplace, project, watch, progress, unlabelled_only=True, stored_only=not by_sampling, on_written=go_by
    )
    go_by(done.version)
    workplace.store.projects.set_offered(project.key, done.generation)
    return str(done)

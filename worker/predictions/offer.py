"""Offer served versions to Label Studio, and keep what they say of all tasks.

Label Studio's stored predictions are refreshed, and its uncertainty sampling is set.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from labelstudio.api import LabelStudioError
from labelstudio.project import ProjectKey
from store.answers import Round
from store.leases import Lease, LeaseLost, lease_name
from store.projects import Project
from store.store import Store
from tagloom_base.errors import UserError
from tagloom_base.groups import VersionSettings
from worker.predictions import columns, sampling
from worker.predictions.kept import keep
from worker.predictions.preannotation import Progress, Scope, refresh
from worker.predictions.removal import remove_due
from worker.watch import Ends, Interrupted
from worker.workplace import Workplace

# Seconds until the next attempt after Label Studio did not answer.
PAUSE_S = 60.0
# The kind of the lease that is held during a pause.
PAUSE = "pause predict"
# Seconds until the next attempt after a failure that a person must repair: token, address, order of backends.
LONG_PAUSE_S = 600.0


def is_wanted(versions: VersionSettings) -> bool:
    """Return whether Label Studio is to get any predictions that it has not asked for."""
    return _is_refreshing(versions) or versions.columns


def _is_refreshing(versions: VersionSettings) -> bool:
    return versions.refresh_predictions or versions.uncertainty_sampling


def due(versions: VersionSettings, store: Store) -> list[str]:
    """Return the keys of projects with answers or predictions to be kept, written or deleted, whose pause is over."""
    offers = store.projects.waiting_for_offer() if is_wanted(versions) else ()
    crowded = store.answers.crowded() if _is_refreshing(versions) else ()
    waiting = [*store.prediction_removals.due(), *store.answers.due(), *offers, *crowded]
    return [key for key in dict.fromkeys(waiting) if not store.leases.held(lease_name(PAUSE, key), LONG_PAUSE_S)]


def offer(workplace: Workplace, project: Project, lease: Lease, watch: Ends, progress: Progress) -> str:
    """Offer the served version to Label Studio, and keep its answers; return one line about the result.

    An interrupted run is continued by the next one. Raises the exceptions of `refresh` and `keep`, and UserError when
    sampling is wanted but Label Studio asks another backend. After a failure `due` leaves the project out for some
    minutes.
    """
    told: list[str] = []
    versions = workplace.settings.versions
    failure: LabelStudioError | UserError | None = None
    with _pausing(workplace.store, project.key):
        generation = workplace.serving(project).generation
        # Pictures that are read from here on belong to another round.
        round_ = workplace.store.answers.round(project.key)
        try:
            told += remove_due(workplace, project, watch)
            # Label Studio looks at all its tasks for this, and many jobs may be needed to keep all answers.
            if _is_refreshing(versions) and round_.refreshed != _wanted(versions, generation):
                told.append(_offered(workplace, project, watch, progress, round_))
        except (LabelStudioError, UserError) as error:
            failure = error
        # Keeping needs no Label Studio.
        told.append(keep(workplace, project, lease, watch, progress))
        if failure is not None:
            raise failure
        if versions.columns and workplace.client_of(project).connection.url:
            told.append(str(columns.write(workplace, project, watch, progress)))
        if is_wanted(versions):
            workplace.store.projects.set_offered(project.key, generation)
    return "; ".join(told)


def _offered(workplace: Workplace, project: Project, watch: Ends, progress: Progress, round_: Round) -> str:
    """Refresh stored predictions and set the sampling; return one line about the result."""
    client, by_sampling = workplace.client_of(project), workplace.settings.versions.uncertainty_sampling
    if not client.connection.url:
        if by_sampling:
            raise UserError("uncertainty sampling needs LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
        workplace.store.answers.set_crowded(project.key, None)
        return "no Label Studio is configured: set LABEL_STUDIO_URL to refresh its predictions"
    number = ProjectKey.parse(project.key).id

    @lru_cache
    def go_by(version: str) -> None:
        if by_sampling:
            ours = {entry.version for entry in workplace.store.versions.list(project.key)}
            sampling.go_by(client, number, version, ours)

    # Sampling uses the new version as soon as some predictions are written: those that are best labelled next are.
    scope = Scope(unlabelled_only=True, stored_only=not by_sampling, by_choice=by_sampling)
    done = refresh(workplace, project, watch, progress, scope, on_written=go_by)
    go_by(done.version)
    wanted = _wanted(workplace.settings.versions, done.generation)
    workplace.store.answers.set_refreshed(project.key, round_.number, wanted)
    return str(done)


def _wanted(versions: VersionSettings, generation: int) -> str:
    """Return which predictions Label Studio is to have: sampling wants those of further tasks."""
    return f"{generation} by sampling" if versions.uncertainty_sampling else str(generation)


@contextmanager
def _pausing(store: Store, project_key: str) -> Iterator[None]:
    """Hold the lease of a pause after an error of the block, except where the block gave way."""
    try:
        yield
    except (Interrupted, LeaseLost):
        raise
    except Exception as error:
        is_away = isinstance(error, LabelStudioError) and (error.status is None or error.status >= 500)
        holder = f"{os.uname().nodename}:{os.getpid()}"
        store.leases.acquire(lease_name(PAUSE, project_key), holder, PAUSE_S if is_away else LONG_PAUSE_S)
        raise

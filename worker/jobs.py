"""The jobs that a stock `rq worker -S json tagloom` runs: small, idempotent, each brings one project up to date."""

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from redis.exceptions import RedisError
from rq import get_current_job

from labelstudio.api import LabelStudioError
from store.leases import Lease, LeaseLost, lease_name
from store.projects import Project
from store.versions import Conflict
from tagloom_base import logs, redaction
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker import queue
from worker.encoding import encode as encode_project
from worker.outcome import Done, Outcome, Postponed, Unfinished
from worker.place import Place
from worker.predictions import offer
from worker.promotion.pruning import prune
from worker.queue import Kind
from worker.reconcile import reconcile as reconcile_project
from worker.training.run import train as train_project
from worker.watch import LEASE_S, Ends, GivesWay, Interrupted, TakesTurns, Watch
from worker.workplace import Workplace, open_workplace

LOG = logging.getLogger(__name__)

ELSEWHERE_S = 5.0  # a worker of another place rests, so that one of the right place comes first
ELSEWHERE_TTL_S = 3600  # such failures come again and again: they are kept for an hour

# Whose next job goes on where one was ended: with each some more is done.
IN_TURNS = (Kind.ENCODE, Kind.RECONCILE, Kind.PREDICT)

Work = Callable[[Workplace, Project, Lease, Ends], Done]


def train(project_key: str) -> str:
    """Train on all gold that no training has seen yet; looks for more at the end."""
    with open_workplace() as workplace:
        outcome = _run(workplace, Kind.TRAIN, project_key, _train)
        settings, store = workplace.settings, workplace.store
        if project_key in store.projects.waiting_for_training():
            queue.wake_training(settings, project_key)
        if project_key in offer.due(settings.versions, store):
            queue.wake_predicting(settings, project_key)
        prune(store, project_key, settings.paths.checkpoints, settings.versions.keep_versions)
        return str(outcome)


def encode(project_key: str) -> str:
    """Compute features that are missing; gives way to gold that waits and goes on behind it."""
    with open_workplace() as workplace:
        outcome = _run(workplace, Kind.ENCODE, project_key, _encode)
        for waiting in workplace.store.projects.waiting_for_training():
            queue.wake_training(workplace.settings, waiting)
        if isinstance(outcome, Unfinished):
            queue.wake_encoding(workplace.settings, project_key)
        elif offer.is_wanted(workplace.settings.versions):
            queue.wake_predicting(workplace.settings, project_key)  # for new tasks, and for pictures that were late
        return str(outcome)


def reconcile(project_key: str) -> str:
    """Compare the store with Label Studio and repair it; wakes who has work then."""
    with open_workplace() as workplace:
        outcome = _run(workplace, Kind.RECONCILE, project_key, _reconcile)
        if isinstance(outcome, Unfinished):
            queue.wake_reconcile(workplace.settings, project_key)
        if isinstance(outcome, Postponed) or project_key in workplace.store.projects.gone():
            return str(outcome)
        if project_key in workplace.store.projects.waiting_for_training():
            queue.wake_training(workplace.settings, project_key)
        queue.wake_encoding(workplace.settings, project_key)
        return str(outcome)


def predict(project_key: str) -> str:
    """Bring stored predictions up to the version that serves; gives way to gold that waits and goes on behind it."""
    with open_workplace() as workplace:
        outcome = _run(workplace, Kind.PREDICT, project_key, _predict)
        for waiting in workplace.store.projects.waiting_for_training():
            queue.wake_training(workplace.settings, waiting)
        if isinstance(outcome, Unfinished):
            queue.wake_predicting(workplace.settings, project_key)
        return str(outcome)


def _train(workplace: Workplace, project: Project, lease: Lease, watch: Ends) -> Done:
    if not project.has_new_gold:
        return Done("nothing new")
    try:
        return Done(train_project(workplace, project.key, lease, watch, _report))
    except (Interrupted, LeaseLost, Conflict):
        workplace.store.projects.forget_attempts(project.key)
        raise
    except Exception as error:
        workplace.store.projects.fail_attempt(project.key, redaction.redacted(f"{type(error).__name__}: {error}"))
        raise


def _encode(workplace: Workplace, project: Project, _lease: Lease, watch: Ends) -> Done:
    return Done(encode_project(workplace, project, watch, _report))


def _reconcile(workplace: Workplace, project: Project, lease: Lease, watch: Ends) -> Done:
    projects = workplace.store.projects
    if not projects.may_reconcile(project.key):  # since the job was asked for
        return Postponed("postponed: it was compared a moment ago, or Label Studio did not answer")
    try:
        client = workplace.client_of(project)
        if not client.connection.url:
            projects.begin_reconcile(project.key)
            projects.finish_reconcile(project.key, lease)
            return Done("no Label Studio is configured: set LABEL_STUDIO_URL to compare with it")
        return Done(reconcile_project(workplace.store, client, project, lease, watch, _report))
    except (Interrupted, LeaseLost):
        raise
    except Exception as error:  # Label Studio is away, or the operator must change something
        projects.postpone_reconcile(project.key, of_all=isinstance(error, LabelStudioError) and error.is_away)
        raise


def _predict(workplace: Workplace, project: Project, _lease: Lease, watch: Ends) -> Done:
    return Done(offer.offer(workplace, project, GivesWay(watch, workplace.store), _report))


def _run(workplace: Workplace, kind: Kind, project_key: str, work: Work) -> Outcome:
    """Do the work under its lease, if no other worker does. UserError when this is no place for it."""
    if get_current_job() is not None:
        logs.configure(workplace.settings.work.log_json)
        logging.getLogger("rq").propagate = False  # RQ writes its own lines itself
    place = Place.of(workplace.settings)
    _require_place(workplace.settings, place, kind, project_key)
    if workplace.store.projects.get(project_key) is None:
        raise UserError(
            f"the project {project_key} is not in {place.shown}: does this worker have the backend's TAGLOOM_HOME and "
            "TAGLOOM_DATABASE_URL?"
        )
    with _leased(workplace, place, kind, project_key) as held:
        if held is None:
            return Done("another worker is at it")
        project = workplace.store.projects.get(project_key)
        assert project
        if project.gone_at and kind is not Kind.RECONCILE:
            return Done("Label Studio has no such project: it rests")
        lease, watch = held
        settings = workplace.settings
        ends = TakesTurns(watch, lambda: queue.others_wait(settings)) if kind in IN_TURNS else watch
        try:
            return work(workplace, project, lease, ends)
        except (Interrupted, LeaseLost, Conflict) as stop:
            return Unfinished(str(stop))


def _require_place(settings: Settings, place: Place, kind: Kind, project_key: str) -> None:
    """UserError for a job that another place asked for; it is offered again first, so that it is not taken away."""
    job = get_current_job()
    asker = Place.read(job.meta.get(queue.ASKED_AT)) if job else None
    if job is None or asker is None:  # called by hand, or from before jobs told it
        return
    try:
        place.require(asker, f"{kind} of {project_key}")
    except UserError as elsewhere:
        LOG.error("%s", elsewhere)
        queue.offer_again(settings, kind, project_key, asker)
        job.failure_ttl = ELSEWHERE_TTL_S
        time.sleep(ELSEWHERE_S)
        raise


@contextlib.contextmanager
def _leased(workplace: Workplace, place: Place, kind: Kind, project_key: str) -> Iterator[tuple[Lease, Watch] | None]:
    """Hold the lease while the block runs; None when another worker has it."""
    name = lease_name(kind, project_key)
    lease = workplace.store.leases.acquire(name, f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex}", LEASE_S)
    if lease is None:
        yield None
        return
    redis = queue.redis_of(workplace.settings.work.redis_url)
    queue.set_running(redis, place, kind, project_key, LEASE_S)
    try:
        beat = lambda: queue.set_running(redis, place, kind, project_key, LEASE_S)  # noqa: E731
        with Watch(workplace.store, lease, redis, beat) as watch:
            yield lease, watch
    finally:
        workplace.store.leases.release(lease)
        woken = queue.clear_running(redis, place, kind, project_key)
        if woken and kind is Kind.ENCODE:  # of the others the store knows whether there is more work
            queue.wake_encoding(workplace.settings, project_key)


def _report(progress: Mapping[str, Any]) -> None:
    """Progress for `rq info` and the status page, in the job's meta."""
    job = get_current_job()
    if job is None:
        return
    job.meta.update(progress)
    try:
        job.save_meta()  # type: ignore[no-untyped-call]
    except RedisError as error:
        LOG.warning("redis: %s", error)

"""The jobs that a stock `rq worker -S json tagloom` runs. Each is idempotent and brings one project up to date."""

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from redis.exceptions import RedisError
from rq import get_current_job
from rq.job import Job

from labelstudio.api import LabelStudioError
from store.leases import Lease, LeaseLost, lease_name
from store.processes import WORKER, Process
from store.projects import Project
from store.versions import Conflict
from tagloom_base import logs, redaction
from tagloom_base.errors import UserError
from tagloom_base.settings import Settings
from worker import forgetting, forgotten, queue
from worker.asking.opening import are_configured
from worker.asking.rounds import ask as ask_sources
from worker.encoders import require_encoders
from worker.encoding import encode as encode_project
from worker.outcome import Done, Outcome, Postponed, Unfinished
from worker.place import Place
from worker.predictions import offer
from worker.promotion.pruning import prune
from worker.queue import Kind
from worker.reconcile import reconcile as reconcile_project
from worker.shared_settings import backend_of, differences, shared
from worker.stages import Stages
from worker.training.run import train as train_project
from worker.watch import LEASE_S, Ends, GivesWay, Interrupted, TakesTurns, Watch
from worker.workplace import Workplace, open_workplace

LOG = logging.getLogger(__name__)

# Seconds that a worker waits after a job that it cannot do, so that a worker of the right place or settings takes it.
ELSEWHERE_S = 5.0
# Seconds that Redis keeps such a failed job; short, since there may be many.
ELSEWHERE_TTL_S = 3600

# Kinds whose next job continues where the last one ended, so that they can take turns with other jobs.
IN_TURNS = (Kind.ENCODE, Kind.RECONCILE, Kind.PREDICT, Kind.ASK)

# The outcome of a job whose project was forgotten before it, or while it ran.
FORGOTTEN = Done("the project was forgotten")

Work = Callable[[Project, Lease, Ends], Done]


def train(project_key: str) -> str:
    """Train on all gold that no training has used yet; at the end queue what is due then."""
    with _opened(Kind.TRAIN, project_key) as workplace:
        outcome = _run(workplace, Kind.TRAIN, project_key, partial(_train, workplace))
        settings, store = workplace.settings, workplace.store
        if project_key in store.projects.waiting_for_training():
            queue.wake_training(settings, project_key)
        if project_key in offer.due(settings.versions, store):
            queue.wake_predicting(settings, project_key)
        prune(store, project_key, settings.paths.checkpoints, settings.versions.keep_versions)
        return str(outcome)


def encode(project_key: str) -> str:
    """Compute missing features; give way to gold that waits for a training, and continue in a later job."""
    with _opened(Kind.ENCODE, project_key) as workplace:
        outcome = _run(
            workplace,
            Kind.ENCODE,
            project_key,
            lambda project, _, ends: Done(encode_project(workplace, project, ends, _reporter(workplace))),
        )
        for waiting in workplace.store.projects.waiting_for_training():
            queue.wake_training(workplace.settings, waiting)
        if isinstance(outcome, Unfinished):
            queue.wake_encoding(workplace.settings, project_key)
        if are_configured(workplace.settings.sources):
            # What was read so far, or labels that are new, are to be shown to the sources.
            workplace.store.source_opinions.make_due(project_key)
            queue.wake_asking(workplace.settings, project_key)
        if not isinstance(outcome, Unfinished):
            # Tasks that are new, or whose pictures were late, can be predicted now.
            workplace.store.answers.make_due(project_key)
            queue.wake_predicting(workplace.settings, project_key)
        return str(outcome)


def reconcile(project_key: str) -> str:
    """Compare the store with Label Studio and repair it; then queue a training if gold waits, and an encoding."""
    with _opened(Kind.RECONCILE, project_key) as workplace:
        outcome = _run(workplace, Kind.RECONCILE, project_key, partial(_reconcile, workplace))
        if isinstance(outcome, Unfinished):
            queue.wake_reconcile(workplace.settings, project_key)
        if isinstance(outcome, Postponed) or project_key in workplace.store.projects.gone():
            return str(outcome)
        if project_key in workplace.store.projects.waiting_for_training():
            queue.wake_training(workplace.settings, project_key)
        queue.wake_encoding(workplace.settings, project_key)
        return str(outcome)


def predict(project_key: str) -> str:
    """Keep the served version's answers and offer it to Label Studio; give way to gold, and continue in a later job."""
    with _opened(Kind.PREDICT, project_key) as workplace:
        outcome = _run(
            workplace,
            Kind.PREDICT,
            project_key,
            lambda project, lease, ends: Done(
                offer.offer(workplace, project, lease, GivesWay(ends, workplace.store), _reporter(workplace))
            ),
        )
        for waiting in workplace.store.projects.waiting_for_training():
            queue.wake_training(workplace.settings, waiting)
        if isinstance(outcome, Unfinished):
            queue.wake_predicting(workplace.settings, project_key)
        return str(outcome)


def ask(project_key: str) -> str:
    """Show items to the sources of others; give way to gold that waits for a training, and continue in a later job."""
    with _opened(Kind.ASK, project_key) as workplace:
        outcome = _run(
            workplace,
            Kind.ASK,
            project_key,
            lambda project, _, ends: Done(
                ask_sources(workplace, project, GivesWay(ends, workplace.store), _reporter(workplace))
            ),
        )
        for waiting in workplace.store.projects.waiting_for_training():
            queue.wake_training(workplace.settings, waiting)
        if isinstance(outcome, Unfinished):
            queue.wake_asking(workplace.settings, project_key)
        return str(outcome)


def forget(project_key: str) -> str:
    """Forget the project if the age rule says so, or complete a forget that was interrupted."""
    with open_workplace() as workplace:
        _log_as_job(workplace, Kind.FORGET, project_key)
        _enter(workplace, Kind.FORGET, project_key)
        return forgetting.by_rule(workplace, project_key)


def _train(workplace: Workplace, project: Project, lease: Lease, watch: Ends) -> Done:
    if not project.has_new_gold:
        return Done("nothing new")
    stages = Stages(_reporter(workplace), project.last_training.get("seconds", {}))
    try:
        done = Done(train_project(workplace, project.key, lease, watch, stages))
        workplace.store.projects.note_training(project.key, stages.kept())
        return done
    except (Interrupted, LeaseLost, Conflict):
        workplace.store.projects.forget_attempts(project.key)
        raise
    except Exception as error:
        workplace.store.projects.fail_attempt(project.key, redaction.redacted(f"{type(error).__name__}: {error}"))
        raise


def _reconcile(workplace: Workplace, project: Project, lease: Lease, watch: Ends) -> Done:
    projects = workplace.store.projects
    # The reconcile may have been postponed after this job was queued.
    if not projects.may_reconcile(project.key):
        return Postponed("postponed: it was compared a moment ago, or Label Studio did not answer")
    try:
        client = workplace.client_of(project)
        if not client.connection.url:
            projects.begin_reconcile(project.key)
            projects.finish_reconcile(project.key, lease)
            return Done("no Label Studio is configured: set LABEL_STUDIO_URL to compare with it")
        return Done(reconcile_project(workplace.store, client, project, lease, watch, _reporter(workplace)))
    except (Interrupted, LeaseLost):
        raise
    # Label Studio is away, or the operator must change something.
    except Exception as error:
        projects.postpone_reconcile(project.key, of_all=isinstance(error, LabelStudioError) and error.is_away)
        raise


def _run(workplace: Workplace, kind: Kind, project_key: str, work: Work) -> Outcome:
    """Do the work under its lease, unless another worker holds it. Raises UserError for a job of another place."""
    place = _enter(workplace, kind, project_key)
    projects, home = workplace.store.projects, workplace.settings.paths.home
    found = projects.get(project_key)
    if forgotten.is_forgotten(home, project_key, found):
        return FORGOTTEN
    if found is None:
        raise UserError(
            f"the project {project_key} is not in {place.shown}: does this worker have the backend's TAGLOOM_HOME and "
            "TAGLOOM_DATABASE_URL?"
        )
    _note_worker(workplace, kind)
    with _leased(workplace, place, kind, project_key) as held:
        if held is None:
            return Done("another worker is at it")
        # Read again: the lease may have been waited for, and a forget may have begun.
        project = projects.get(project_key)
        if project is None or forgotten.is_forgotten(home, project_key, project):
            return FORGOTTEN
        if project.gone_at and kind is not Kind.RECONCILE:
            return Done("Label Studio has no such project: it rests")
        lease, watch = held
        settings = workplace.settings
        ends = TakesTurns(watch, lambda: queue.others_wait(settings)) if kind in IN_TURNS else watch
        with workplace.tally.job(workplace.store, kind, project_key) as running:
            try:
                return running.end(work(project, lease, ends))
            except (Interrupted, LeaseLost, Conflict) as stop:
                return running.end(FORGOTTEN if projects.get(project_key) is None else Unfinished(str(stop)))
            except Exception:
                # Whatever fails without the project's rows is no failure of the work.
                if projects.get(project_key) is None:
                    return running.end(FORGOTTEN)
                raise


def _enter(workplace: Workplace, kind: Kind, project_key: str) -> Place:
    """Return this process's place. Raises UserError for a job of another place."""
    place = Place.of(workplace.settings.paths)
    _require_place(workplace.settings, place, kind, project_key)
    return place


def _log_as_job(workplace: Workplace, kind: Kind, project_key: str) -> None:
    """Let each line of this process carry the ids of its job, and of the request that asked for the job."""
    job = get_current_job()
    if job is None:
        return
    ids = {"job": str(job.id), "kind": str(kind), "project": project_key}
    if isinstance(request := job.meta.get(queue.ASKED_BY), str):
        ids["request"] = request
    logs.configure(workplace.settings.work.log_json, ids=ids)
    # RQ writes these lines itself, so they would be logged twice.
    logging.getLogger("rq").propagate = False


@contextlib.contextmanager
def _opened(kind: Kind, project_key: str) -> Iterator[Workplace]:
    """Open the workplace of a job. Raises UserError when this worker's settings cannot be used.

    RQ has taken the job by then. Nothing is lost, since the store has what is due: the pause leaves the next job to
    another worker.
    """
    with contextlib.ExitStack() as stack:
        try:
            workplace = stack.enter_context(open_workplace())
            _log_as_job(workplace, kind, project_key)
            require_encoders(workplace.settings)
        except UserError:
            _leave_to_others(get_current_job())
            raise
        yield workplace


def _leave_to_others(job: Job | None) -> None:
    """Pause after a job that this worker cannot do, so that another worker takes the next one."""
    if job is not None:
        job.failure_ttl = ELSEWHERE_TTL_S
        time.sleep(ELSEWHERE_S)


def _require_place(settings: Settings, place: Place, kind: Kind, project_key: str) -> None:
    """Raise UserError for a job that another place asked for, after putting it back into the queue for that place."""
    job = get_current_job()
    asker = Place.read(job.meta.get(queue.ASKED_AT)) if job else None
    # Not in a job, or in a job of an earlier release, which did not record its place.
    if job is None or asker is None:
        return
    try:
        place.require(asker, f"{kind} of {project_key}")
    except UserError as elsewhere:
        LOG.error("%s", elsewhere)
        queue.offer_again(settings, kind, project_key, asker)
        _leave_to_others(job)
        raise


def _note_worker(workplace: Workplace, kind: Kind) -> None:
    """Record this worker and its shared settings, and log those that are not the backend's where they matter."""
    job = get_current_job()
    if job is None or not (name := job.worker_name):
        return
    queue.list_worker(workplace.settings, name)
    mine, store = Process(name, WORKER, shared(workplace.settings), 0.0), workplace.store
    is_new = store.processes.note(name, WORKER, mine.settings)
    if (is_new or kind in (Kind.TRAIN, Kind.ENCODE)) and (backend := backend_of(store)):
        for line in differences(backend.settings, mine):
            LOG.error("%s", line)


@contextlib.contextmanager
def _leased(workplace: Workplace, place: Place, kind: Kind, project_key: str) -> Iterator[tuple[Lease, Watch] | None]:
    """Hold the lease while the block runs; yield None when another worker has it."""
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
        # Released before the running key is deleted: a job that is queued from then on can acquire the lease.
        workplace.store.leases.release(lease)
        woken = queue.clear_running(redis, place, kind, project_key)
        # For the other kinds the store records further work, and the caller or the timer looks there.
        if woken and kind is Kind.ENCODE:
            queue.wake_encoding(workplace.settings, project_key)


def _reporter(workplace: Workplace) -> Callable[[Mapping[str, Any]], None]:
    """Return the function that a job tells its progress: it measures the stage, and reports it."""

    def progressed(progress: Mapping[str, Any]) -> None:
        workplace.tally.reach(workplace.store, str(progress["stage"]))
        _report(progress)

    return progressed


def _report(progress: Mapping[str, Any]) -> None:
    """Write progress to the job's meta, for `rq info` and the status page."""
    job = get_current_job()
    if job is None:
        return
    # What an earlier stage counted says nothing of this one.
    job.meta = {**{name: held for name, held in job.meta.items() if name == queue.ASKED_AT}, **progress}
    try:
        job.save_meta()  # type: ignore[no-untyped-call]
    except RedisError as error:
        LOG.warning("redis: %s", error)

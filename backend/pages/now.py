"""What runs and what waits for the projects of an account: the part of the pages that renews itself."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.pages.frame import Visit
from store.projects import Project
from worker.at_work import AtWork, Task, at_work
from worker.queue import Kind


@dataclass(frozen=True)
class Job:
    """A job that runs.

    ``share`` is how much of it is done, from 0 to 1; None if that cannot be said. ``left`` are the seconds that it
    still takes; None where nothing measured tells, as for the first training of a project (``is_first``).
    """

    project: Project
    kind: str
    stage: str
    share: float | None
    left: float | None
    since: float
    is_first: bool = False


@dataclass(frozen=True)
class Waiting:
    """A project whose training waits, and the name of the text that says for what."""

    project: Project
    reason: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Now:
    """What runs and waits. ``stamp`` changes when the rest of a page is out of date. ``workers`` is None without Redis.

    ``others`` counts the jobs of other kinds that wait, by kind.
    """

    jobs: Sequence[Job]
    waiting: Sequence[Waiting]
    stamp: str
    workers: int | None
    others: Mapping[str, int] = field(default_factory=dict)


def now_of(visit: Visit, projects: Sequence[Project]) -> Now:
    """Return what runs and waits for these projects."""
    service = visit.pages.service
    work = at_work(service.settings, service.store)
    known = {project.key: project for project in projects}
    tasks = [task for task in work.running if task.project_key in known] if work else []
    jobs = [_job(visit, task, known[task.project_key]) for task in tasks]
    # Trainings first: they are what people wait for.
    jobs.sort(key=lambda job: (job.kind != Kind.TRAIN, job.since))
    trained = {job.project.key for job in jobs if job.kind == Kind.TRAIN}
    at = service.store.now()
    waiting = [_waiting(project, work, at) for project in projects if _waits(project, trained)]
    others: dict[str, int] = {}
    for task in work.waiting if work else ():
        if task.project_key in known and task.kind is not Kind.TRAIN:
            others[task.kind] = others.get(task.kind, 0) + 1
    return Now(jobs, waiting, _stamp(visit, projects), work.workers if work else None, others)


def _waits(project: Project, trained: set[str]) -> bool:
    return project.has_new_gold and not project.gone_at and project.key not in trained


def _job(visit: Visit, task: Task, project: Project) -> Job:
    progress = task.progress or {}
    stage = str(progress.get("stage", "starting"))
    name = f"stage_{stage.replace(' ', '_')}"
    # Phases of a training have names of their own; an unknown stage is shown as the worker calls it.
    shown = visit.text(name, **_counts(progress)) if visit.text.has(name) else stage
    spent = max(time.time() - task.since, 0.0)
    left = _left(progress)
    share = _share(progress) if left is None else spent / (spent + left)
    is_first = task.kind is Kind.TRAIN and not project.last_training
    return Job(project, str(task.kind), shown, share, left, task.since, is_first)


def _left(progress: Mapping[str, Any]) -> float | None:
    """Return the seconds that a training has left: what it reported, less the time since."""
    left = progress.get("seconds_left")
    if not isinstance(left, int | float):
        return None
    return max(float(left) - (time.time() - float(progress.get("reported_at", 0.0))), 1.0)


def _share(progress: Mapping[str, Any]) -> float | None:
    done, total = progress.get("done"), progress.get("total")
    return done / total if isinstance(done, int) and isinstance(total, int) and total else None


def _counts(progress: Mapping[str, Any]) -> dict[str, object]:
    """Return the numbers that texts of stages may name, 0 for those that are missing."""
    return {name: progress.get(name, 0) for name in ("epoch", "epochs", "done", "total")}


def _waiting(project: Project, work: AtWork | None, at: float) -> Waiting:
    """Return why a project's training has not begun."""
    if work is None:
        return Waiting(project, "waits_for_queue")
    if not work.workers:
        return Waiting(project, "waits_for_worker")
    if project.retry_at > at:
        return Waiting(project, "waits_after_failure", project.retry_at - at)
    if len(work.running) >= work.workers:
        return Waiting(project, "waits_for_its_turn")
    return Waiting(project, "waits_a_moment")


def _stamp(visit: Visit, projects: Sequence[Project]) -> str:
    current = visit.pages.service.store.versions.all_current()
    generations = {key: one.generation for key, one in current.items()}
    facts = [
        [one.key, one.failure, one.trained_revision, one.unread_gold, one.gone_at > 0, generations.get(one.key, 0)]
        for one in projects
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]

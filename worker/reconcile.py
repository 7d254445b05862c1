"""Comparing the store with Label Studio, which is the source of truth: finds what webhooks lost.

Missed, doubled or reordered events, annotations imported with their tasks, deletions while we were down. Page by
page; an interrupted run goes on at the page where it stopped. What we know and Label Studio does not list is gone for
good, since ids are never used again; but only if we had heard of it well before the page was read (of what is newer
another reconcile decides soon), and for tasks only after asking for each one, since deletions shift pages.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from labelstudio.api import LabelStudioClient
from labelstudio.project import ProjectKey
from store.changes import AnnotationState
from store.projects import Project
from store.store import Store
from tagloom.errors import UserError
from worker.training.watch import Ends

GRACE_S = 10.0  # Label Studio sends a webhook before its own transaction is certain to be over
Progress = Callable[[Mapping[str, Any]], None]


def reconcile(store: Store, client: LabelStudioClient, project: Project, watch: Ends, progress: Progress) -> str:
    """Repair the store from Label Studio's API; returns a line about what was found.

    Raises LabelStudioError when it does not answer and Interrupted when the job must end (the next run goes on),
    UserError when the project there is another one.
    """
    number = ProjectKey.parse(project.key).id
    _check_project(store, project, client.project(number))
    page, repairs, is_last = store.projects.begin_reconcile(project.key), 0, False
    last_id = 0 if page == 1 else None  # of a page that was read before we cannot know where it ended
    while not is_last:
        watch.check()
        read_at = time.time() - GRACE_S
        tasks, is_last = client.task_page(number, page)
        entries = _repair_page(store, project.key, tasks, read_at)
        gaps = _repair_gaps(store, client, project.key, tasks, last_id, is_last, read_at)
        if entries.too_new or gaps.too_new:
            store.projects.request_reconcile(project.key, after=GRACE_S)
        repairs += entries.repairs + gaps.repairs
        last_id = tasks[-1]["id"] if tasks else last_id
        store.projects.reach_in_reconcile(project.key, page)
        progress({"stage": "comparing with Label Studio", "pages": page, "repairs": repairs})
        page += 1
    store.projects.finish_reconcile(project.key)
    return f"{page - 1} pages compared, {repairs} repairs that changed the gold"


def _check_project(store: Store, project: Project, there: Mapping[str, Any]) -> None:
    created = int(datetime.fromisoformat(str(there.get("created_at"))).timestamp())
    if created != ProjectKey.parse(project.key).created:
        raise UserError(
            f"{project.key}: Label Studio's project of that number was made at another time, so it is another one; "
            "check LABEL_STUDIO_URL"
        )
    if there.get("label_config"):
        store.projects.ensure(project.key, str(there["label_config"]), str(there.get("title") or ""))


class Found(NamedTuple):
    """Of a page: repairs that changed the gold, and what is not listed but too new to be called gone."""

    repairs: int
    too_new: int


def _repair_page(store: Store, key: str, tasks: Sequence[Mapping[str, Any]], read_at: float) -> Found:
    """Join one page, and drop annotations that its tasks no longer have."""
    store.tasks.upsert(key, tasks)
    listed = [{"task": task["id"], **entry} for task in tasks for entry in task.get("annotations") or []]
    missed = store.annotations.apply(key, [AnnotationState.of(entry) for entry in listed])
    there = {entry["id"] for entry in listed}
    heard_of = store.annotations.heard_of(key, [task["id"] for task in tasks])
    absent = heard_of.keys() - there
    gone = sorted(number for number in absent if heard_of[number] < read_at)
    repaired = len(gone) if gone and store.annotations.delete(key, gone) else 0
    return Found(missed + repaired, len(absent) - len(gone))


def _repair_gaps(
    store: Store,
    client: LabelStudioClient,
    key: str,
    tasks: Sequence[Mapping[str, Any]],
    last_id: int | None,
    is_last: bool,
    read_at: float,
) -> Found:
    """Drop tasks that we know between the pages' ids and that Label Studio denies when asked for them."""
    first = last_id if last_id is not None else tasks[0]["id"] if tasks else 0
    end = None if is_last else tasks[-1]["id"]
    listed = {task["id"] for task in tasks}
    heard_of = store.tasks.heard_of(key)
    gap = [number for number in heard_of if first < number and (end is None or number <= end) and number not in listed]
    old = [number for number in gap if heard_of[number] < read_at]
    gone = [number for number in old if not client.has_task(number)]
    return Found(len(gone) if gone and store.tasks.delete(key, gone) else 0, len(gap) - len(old))

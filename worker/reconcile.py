"""Compare the store with Label Studio, which is the source of truth, and repair what webhooks did not deliver.

Webhooks may be missed, doubled or reordered; annotations may be imported together with their tasks; tasks may be
deleted while no backend runs. A reconcile reads the project's tasks page by page in the order of their ids, so that
deletions meanwhile do not shift the pages. After an interruption the next run continues after the last task compared.

Label Studio's list decides only about rows that are settled, that is, last seen GRACE_S or longer before the page was
read. A settled row that is not listed is deleted. A listed row replaces a settled row that is deleted or newer than the
list, because then Label Studio was restored from a backup. An unlisted row that was seen after that time but before the
run began is compared again after a wait. Rows that were seen after the run began are left to the next run. So a run
waits at most once, and for at most GRACE_S, however many events arrive.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from labelstudio.api import LabelStudioClient
from labelstudio.changes import annotations_of, tasks_of
from labelstudio.presence import project_there
from labelstudio.project import ProjectKey
from store.leases import Lease
from store.projects import Begun, Project
from store.store import Store
from worker.watch import Ends

# Seconds. Label Studio sends a webhook before its own transaction is certain to be committed.
GRACE_S = 10.0
# Seconds between two checks, during the wait, whether the job must end.
LOOK_S = 0.2
LAST_ID = 2**63 - 1

Progress = Callable[[Mapping[str, Any]], None]


def reconcile(
    store: Store, client: LabelStudioClient, project: Project, lease: Lease, watch: Ends, progress: Progress
) -> str:
    """Repair the store from Label Studio's API; return one line about the result.

    Raises LabelStudioError when Label Studio does not answer, Interrupted when the job must end and LeaseLost when
    another worker has taken the lease. After each of them the next run continues where this one stopped.
    """
    found = project_there(client, ProjectKey.parse(project.key))
    begun = store.projects.begin_reconcile(project.key)
    if found is None:
        store.projects.finish_reconcile(project.key, lease)
        store.projects.note_presence(project.key, is_there=False)
        return f"Label Studio has no such project: {project.key} rests until it is heard of again"
    if project.gone_at:
        store.projects.note_presence(project.key, is_there=True)
    if found.get("label_config"):
        store.projects.ensure(project.key, str(found["label_config"]), str(found.get("title") or ""))
    page, pages, repairs = _Page(begun.after), 0, 0
    while not page.is_last:
        page = _compare_page(store, client, project.key, begun, page.after, watch)
        store.projects.reach_in_reconcile(project.key, page.after, lease)
        pages, repairs = pages + 1, repairs + page.repairs
        progress({"stage": "comparing with Label Studio", "pages": pages, "repairs": repairs})
    store.projects.finish_reconcile(project.key, lease)
    return f"{pages} pages compared, {repairs} repairs that changed the gold"


class _Page(NamedTuple):
    """The result of one page: tasks with ids up to ``after`` are compared, ``repairs`` rows changed the gold."""

    after: int
    is_last: bool = False
    repairs: int = 0


def _compare_page(store: Store, client: LabelStudioClient, key: str, begun: Begun, after: int, watch: Ends) -> _Page:
    """Compare the next page of tasks with ids greater than ``after``.

    The result has the same ``after`` if this function has waited and the page must be read again.
    """
    watch.check()
    # Taken before the page is read: a row last seen by then is either in Label Studio's list or deleted there.
    settled = store.now() - GRACE_S
    tasks, is_last = client.tasks_after(ProjectKey.parse(key).id, after)
    store.tasks.upsert(key, tasks_of(tasks), settled=settled)
    listed = [{"task": task["id"], **entry} for task in tasks for entry in task["annotations"]]
    states = annotations_of(listed)
    repairs = store.annotations.apply(key, states, settled=settled)

    # Rows of the store that Label Studio does not list, with the time at which each was last seen.
    task_ids = {task["id"] for task in tasks}
    annotation_ids = {entry["id"] for entry in listed}
    known_tasks = store.tasks.heard_of(key, after, LAST_ID if is_last else tasks[-1]["id"])
    known_annotations = store.annotations.heard_of(key, sorted(task_ids))
    unlisted_tasks = {number: seen for number, seen in known_tasks.items() if number not in task_ids}
    unlisted = {number: seen for number, seen in known_annotations.items() if number not in annotation_ids}

    if any(settled < seen <= begun.at for seen in (*unlisted_tasks.values(), *unlisted.values())):
        # After this wait all that was seen before the run began is settled, so no run waits twice.
        end = time.monotonic() + (begun.at - settled)
        while (left := end - time.monotonic()) > 0:
            watch.check()
            time.sleep(min(left, LOOK_S))
        return _Page(after, repairs=repairs)

    gone_tasks = [number for number, seen in unlisted_tasks.items() if seen <= settled]
    gone = [number for number, seen in unlisted.items() if seen <= settled]
    if gone and store.annotations.delete(key, gone):
        repairs += len(gone)
    if gone_tasks and store.tasks.delete(key, gone_tasks):
        repairs += len(gone_tasks)
    return _Page(tasks[-1]["id"] if tasks else after, is_last, repairs)

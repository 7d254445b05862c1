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

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from labelstudio.api import LabelStudioClient
from labelstudio.changes import annotations_of, tasks_of
from labelstudio.presence import project_there
from labelstudio.project import ProjectKey
from store.leases import Lease
from store.projects import Begun, Project
from store.store import Store
from store.values import microseconds_of
from worker.measures import MISSED, count
from worker.watch import Ends

LOG = logging.getLogger(__name__)

# Seconds. Label Studio sends a webhook before its own transaction is certain to be committed.
GRACE_S = 10.0
# Seconds after its task within which an annotation was imported with the task, as far as one can see. No webhook tells
# of such an annotation.
IMPORTED_S = 60.0
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
        # Of a project that is new here, the older labels were never told.
        if page.missed and project.reconciled_at:
            _tell_missed(store, project.key, page.missed)
        store.projects.reach_in_reconcile(project.key, page.after, lease)
        pages, repairs = pages + 1, repairs + page.repairs
        progress({"stage": "comparing with Label Studio", "pages": pages, "repairs": repairs})
    store.projects.finish_reconcile(project.key, lease)
    return f"{pages} pages compared, {repairs} repairs that changed the gold"


class _Page(NamedTuple):
    """The result of one page: tasks with ids up to ``after`` are compared, ``repairs`` rows changed the gold.

    ``missed`` holds the times (unix seconds, of Label Studio) of annotations that no webhook has told.
    """

    after: int
    is_last: bool = False
    repairs: int = 0
    missed: Sequence[float] = ()


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
    # Looked up before the list is applied, which would make all of them known.
    known_annotations = store.annotations.heard_of(key, sorted({task["id"] for task in tasks}))
    missed = _missed(tasks, known_annotations, settled)
    repairs = store.annotations.apply(key, states, settled=settled)

    # Rows of the store that Label Studio does not list, with the time at which each was last seen.
    task_ids = {task["id"] for task in tasks}
    annotation_ids = {entry["id"] for entry in listed}
    known_tasks = store.tasks.heard_of(key, after, LAST_ID if is_last else tasks[-1]["id"])
    unlisted_tasks = {number: seen for number, seen in known_tasks.items() if number not in task_ids}
    unlisted = {number: seen for number, seen in known_annotations.items() if number not in annotation_ids}

    if any(settled < seen <= begun.at for seen in (*unlisted_tasks.values(), *unlisted.values())):
        # After this wait all that was seen before the run began is settled, so no run waits twice.
        end = time.monotonic() + (begun.at - settled)
        while (left := end - time.monotonic()) > 0:
            watch.check()
            time.sleep(min(left, LOOK_S))
        return _Page(after, repairs=repairs, missed=missed)

    gone_tasks = [number for number, seen in unlisted_tasks.items() if seen <= settled]
    gone = [number for number, seen in unlisted.items() if seen <= settled]
    if gone and store.annotations.delete(key, gone):
        repairs += len(gone)
    if gone_tasks and store.tasks.delete(key, gone_tasks):
        repairs += len(gone_tasks)
    return _Page(tasks[-1]["id"] if tasks else after, is_last, repairs, missed)


def _missed(tasks: Sequence[Mapping[str, Any]], known: Mapping[int, float], settled: float) -> list[float]:
    """Return when each annotation was made that is not known, although its webhook should have come by ``settled``."""
    made = [
        (entry["id"], _seconds(entry), _seconds(task))
        for task in tasks
        for entry in task["annotations"]
        if entry["id"] not in known
    ]
    return [at for _, at, task_at in made if task_at + IMPORTED_S < at <= settled]


def _seconds(entry: Mapping[str, Any]) -> float:
    """Return when Label Studio made a task or an annotation, in unix seconds; 0 where that cannot be read."""
    try:
        return microseconds_of(entry.get("created_at")) / 1e6
    except ValueError:
        return 0.0


def _tell_missed(store: Store, key: str, missed: Sequence[float]) -> None:
    """Record and log labels that came without a webhook: if no event came since, webhooks do not arrive at all."""
    store.webhooks.note_missed(key, len(missed), max(missed))
    count(store, MISSED, amount=len(missed))
    LOG.warning("%s: %d labels were found that no webhook told", key, len(missed), extra={"project": key})

"""Comparing the store with Label Studio, which is the source of truth: finds what webhooks lost.

Missed, doubled or reordered events, annotations imported with their tasks, deletions while we were down. In steps by
task id, so that deletions meanwhile shift nothing; an interrupted run goes on behind the last task that it compared.

What we know and Label Studio does not list is gone, and what it lists is there although we hold it for deleted or newer
(it was restored from a backup), but only if we heard of it well before Label Studio was asked. What we hold, is not
listed and was newer then is looked at again a moment later, and what we heard of after the run began is left to the
next one: a run waits once for at most that moment, however busy the project is.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from labelstudio.api import LabelStudioClient
from labelstudio.presence import project_there
from labelstudio.project import ProjectKey
from store.changes import annotations_of
from store.leases import Lease
from store.projects import Begun, Project
from store.store import Store
from worker.watch import Ends

GRACE_S = 10.0  # Label Studio sends a webhook before its own transaction is certain to be over
LOOK_S = 0.2  # between two looks at whether the job must end
LAST_ID = 2**63 - 1
Progress = Callable[[Mapping[str, Any]], None]


def reconcile(
    store: Store, client: LabelStudioClient, project: Project, lease: Lease, watch: Ends, progress: Progress
) -> str:
    """Repair the store from Label Studio's API; returns a line about what was found.

    Raises LabelStudioError when it does not answer, Interrupted when the job must end and LeaseLost when another took
    over (the next run goes on).
    """
    there = project_there(client, ProjectKey.parse(project.key))
    begun = store.projects.begin_reconcile(project.key)
    if there is None:
        store.projects.finish_reconcile(project.key, lease)
        store.projects.note_presence(project.key, is_there=False)
        return f"Label Studio has no such project: {project.key} rests until it is heard of again"
    if project.gone_at:
        store.projects.note_presence(project.key, is_there=True)
    if there.get("label_config"):
        store.projects.ensure(project.key, str(there["label_config"]), str(there.get("title") or ""))
    comparison = _Comparison(store, client, project.key, begun, watch)
    step, steps, repairs = _Step(begun.after), 0, 0
    while not step.is_last:
        step = comparison.step(step.after)
        store.projects.reach_in_reconcile(project.key, step.after, lease)
        steps, repairs = steps + 1, repairs + step.repairs
        progress({"stage": "comparing with Label Studio", "pages": steps, "repairs": repairs})
    store.projects.finish_reconcile(project.key, lease)
    return f"{steps} pages compared, {repairs} repairs that changed the gold"


class _Step(NamedTuple):
    """Tasks up to ``after`` are compared; ``repairs`` of this step changed the gold."""

    after: int
    is_last: bool = False
    repairs: int = 0


class _Comparison:
    """One run on one project."""

    def __init__(self, store: Store, client: LabelStudioClient, key: str, begun: Begun, watch: Ends) -> None:
        self._store = store
        self._client = client
        self._key = key
        self._begun = begun
        self._watch = watch

    def step(self, after: int) -> _Step:
        """Compare the next tasks behind that id; it stays there when it has waited and they are to be read again."""
        self._watch.check()
        certain = self._store.now() - GRACE_S  # what was heard of by then is listed, or gone
        tasks, is_last = self._client.tasks_after(ProjectKey.parse(self._key).id, after)
        joined = self._join(tasks, certain)
        unlisted_tasks, unlisted = self._unlisted(tasks, after, LAST_ID if is_last else tasks[-1]["id"])
        if any(certain < heard <= self._begun.at for heard in (*unlisted_tasks.values(), *unlisted.values())):
            self._wait(self._begun.at - certain)
            return _Step(after, repairs=joined)
        gone_tasks = [number for number, heard in unlisted_tasks.items() if heard <= certain]
        gone = [number for number, heard in unlisted.items() if heard <= certain]
        dropped = len(gone) if gone and self._store.annotations.delete(self._key, gone) else 0
        dropped += len(gone_tasks) if gone_tasks and self._store.tasks.delete(self._key, gone_tasks) else 0
        return _Step(tasks[-1]["id"] if tasks else after, is_last, joined + dropped)

    def _join(self, tasks: Sequence[Mapping[str, Any]], certain: float) -> int:
        """Learn what Label Studio lists; how much of it changed the gold."""
        self._store.tasks.upsert(self._key, tasks, settled=certain)
        listed = [{"task": task["id"], **entry} for task in tasks for entry in task["annotations"]]
        states = annotations_of(listed)
        return self._store.annotations.apply(self._key, states, settled=certain)

    def _unlisted(
        self, tasks: Sequence[Mapping[str, Any]], after: int, upto: int
    ) -> tuple[dict[int, float], dict[int, float]]:
        """Tasks of the range, and annotations of the listed ones, that only we know → when we heard of them last."""
        listed = {task["id"] for task in tasks}
        entries = {entry["id"] for task in tasks for entry in task["annotations"]}
        known = self._store.tasks.heard_of(self._key, after, upto)
        known_entries = self._store.annotations.heard_of(self._key, sorted(listed))
        return (
            {number: heard for number, heard in known.items() if number not in listed},
            {number: heard for number, heard in known_entries.items() if number not in entries},
        )

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._watch.check()
            time.sleep(min(left, LOOK_S))

"""Write a batch of accepted proposals into Label Studio, or take it back, as the person whose session asks.

Both may be interrupted at any point and called again: what Label Studio holds decides what is still to be done.
"""

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import structlog

from backend.pages.accounts import Accounts, Refused
from backend.pages.sessions import Session
from labelstudio.annotations import DUPLICATE, Acceptance, AnnotationClient, digest_of, is_in_work
from labelstudio.api import LabelStudioError
from labelstudio.project import ProjectKey
from store.batches import OPEN, Batch, Fate, Picture
from store.leases import lease_name
from store.store import Store

LOG = structlog.stdlib.get_logger(__name__)

# Tasks that are read from Label Studio together, just before their annotations are written.
PART = 8
# Seconds for which a batch is one writer's. A part takes three to five; a writer that is gone blocks it no longer.
LEASE_S = 120.0
THREADS = 4

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Desk:
    """What a batch is written with: the store, a client with the person's token, and whether to end early."""

    store: Store
    client: AnnotationClient
    is_ending: Callable[[], bool] = lambda: False

    def write(self, batch: Batch) -> None:
        """Write the annotations that wait. Ends early if the batch is taken back. Raises LabelStudioError."""
        batches = self.store.batches
        for part, tasks in self._parts(batch, (Fate.WAITING,)):
            now = batches.get(batch.project_key, batch.id)
            if now is None or now.taken_back_at:
                return
            for picture in part:
                if self.is_ending():
                    return
                batches.settle(batch.id, self._written(batch, picture, tasks.get(picture.task_id)))

    def take_back(self, batch: Batch) -> None:
        """Delete the annotations that nobody has changed since. Raises LabelStudioError."""
        for part, tasks in self._parts(batch, OPEN):
            for picture in part:
                if self.is_ending():
                    return
                fate = self._taken_back(batch, picture, tasks.get(picture.task_id))
                self.store.batches.settle(batch.id, replace(picture, fate=fate, result=()))

    def _parts(
        self, batch: Batch, fates: Sequence[Fate]
    ) -> Iterator[tuple[Sequence[Picture], dict[int, dict[str, Any]]]]:
        """Yield the pictures of these fates with their tasks, as Label Studio has them now."""
        pictures, number = self.store.batches.pictures(batch.id, fates), ProjectKey.parse(batch.project_key).id
        for start in range(0, len(pictures), PART):
            part = pictures[start : start + PART]
            ids = [picture.task_id for picture in part]
            yield part, {task["id"]: task for task in self.client.tasks_named(number, ids)}

    def _written(self, batch: Batch, picture: Picture, task: Json | None) -> Picture:
        """Write one annotation, unless the task has one, or somebody is at it; return what became of the picture."""
        if task is None:
            return replace(picture, fate=Fate.GONE, result=())
        accepted = _acceptance(batch, picture)
        # Written before this writer was interrupted, so that nobody knows yet.
        if (known := accepted.written(task)) is not None:
            return _held(picture, known)
        if task["annotations"]:
            return replace(picture, fate=Fate.LABELLED, result=())
        if is_in_work(task):
            return replace(picture, fate=Fate.IN_WORK, result=())
        try:
            return _held(picture, self._created(accepted, task))
        except LabelStudioError as error:
            if error.status == DUPLICATE or error.is_missing:
                found = self.client.tasks_named(ProjectKey.parse(batch.project_key).id, [picture.task_id])
                if not found:
                    return replace(picture, fate=Fate.GONE, result=())
                known = accepted.written(found[0])
                return _held(picture, known) if known is not None else replace(picture, fate=Fate.LABELLED, result=())
            if error.status != 400:
                raise
            LOG.warning("an accepted proposal is refused", task=picture.task_id, reason=error.detail)
            return replace(picture, fate=Fate.REFUSED, result=())

    def _created(self, accepted: Acceptance, task: Json) -> dict[str, Any]:
        parent = accepted.parent(task)
        try:
            return self.client.create_annotation(accepted.task_id, accepted.fields(parent))
        except LabelStudioError as error:
            # The prediction may have been deleted since the task was read.
            if parent is None or error.status != 400:
                raise
        return self.client.create_annotation(accepted.task_id, accepted.fields(None))

    def _taken_back(self, batch: Batch, picture: Picture, task: Json | None) -> Fate:
        """Delete a picture's annotation if it is still as it was written; return what became of the picture."""
        if task is None:
            return Fate.TAKEN_BACK
        if picture.fate is Fate.WAITING:
            # Its writer was interrupted; perhaps it had been written.
            known = _acceptance(batch, picture).written(task)
            if known is None:
                return Fate.TAKEN_BACK
            picture = _held(picture, known)
        if picture.annotation_id not in {one["id"] for one in task["annotations"]}:
            return Fate.TAKEN_BACK
        # Deleting would also delete the draft of somebody who is changing the annotation just now.
        if is_in_work(task):
            return Fate.CHANGED
        try:
            # Read once more: between this and the deletion there are a few milliseconds, and no request is in between.
            found = self.client.annotation(picture.annotation_id)
            if found["updated_at"] != picture.updated_at or digest_of(found) != picture.digest:
                return Fate.CHANGED
            self.client.delete_annotation(picture.annotation_id)
        except LabelStudioError as error:
            if not error.is_missing:
                raise
        return Fate.TAKEN_BACK


class Writer:
    """Threads that write batches and take them back, while the person goes on. Threads may share it."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="review")
        self._ending = threading.Event()
        self._holder = f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex}"
        self._at_work: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()

    def start(self, session: Session, project_key: str, number: int) -> None:
        """Bring a batch to its end in the background: written, or taken back."""
        self._pool.submit(self.finish, session, project_key, number)

    def finish(self, session: Session, project_key: str, number: int) -> None:
        """Do the same now. What stops it is kept with the batch; nothing is raised."""
        with self._lock:
            lock = self._at_work.setdefault(number, threading.Lock())
        # One after the other: taking back waits until the writing of a part has ended.
        with lock:
            lease = self._store.leases.acquire(lease_name(f"batch {number}", project_key), self._holder, LEASE_S)
            if lease is None:
                return
            try:
                self._finish(session, project_key, number)
            finally:
                self._store.leases.release(lease)

    def _finish(self, session: Session, project_key: str, number: int) -> None:
        batches = self._store.batches
        try:
            with closing(self._accounts.client(session)) as client:
                desk = Desk(self._store, client, self._ending.is_set)
                while (batch := batches.get(project_key, number)) and batch.is_open and not self._ending.is_set():
                    if batch.taken_back_at:
                        desk.take_back(batch)
                    else:
                        desk.write(batch)
        except Refused:
            self._stopped(number, "token", "")
        except LabelStudioError as error:
            kind = {401: "token", 403: "forbidden"}.get(error.status or 0, "away")
            self._stopped(number, kind, "" if kind == "token" else str(error))
        except Exception as error:
            LOG.error("a batch failed", batch=number, error=repr(error), exc_info=error)
            self._stopped(number, "failed", "")

    def _stopped(self, number: int, kind: str, said: str) -> None:
        LOG.warning("a batch has stopped", batch=number, kind=kind, reason=said)
        self._store.batches.note(number, f"{kind}: {said}")

    def close(self) -> None:
        """End after the picture that is written now. What waits can be continued."""
        self._ending.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _acceptance(batch: Batch, picture: Picture) -> Acceptance:
    return Acceptance(batch.project_key, picture.task_id, batch.version, picture.result, batch.seconds)


def _held(picture: Picture, annotation: Json) -> Picture:
    """Return the picture with its annotation as Label Studio holds it."""
    return replace(
        picture,
        fate=Fate.WRITTEN,
        result=(),
        annotation_id=int(annotation["id"]),
        updated_at=str(annotation["updated_at"]),
        digest=digest_of(annotation),
    )

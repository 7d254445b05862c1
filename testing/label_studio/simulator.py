"""A simulation of Label Studio 1.23.2 with one project.

Three things are as in the real one: the requests to the backend (health, setup, predict and webhooks, with recorded
method, path, headers and keys of the body), their time limits, and the pages from which the backend loads pictures,
tasks and annotations with a token. Requests are never repeated. The simulation has one user, no database and no user
interface, and its API has only the pages of ``pages``. The end-to-end test uses the real Label Studio.
"""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from testing.label_studio import payloads
from testing.label_studio.delivery import Deliveries, Faults
from testing.label_studio.pages import build
from testing.label_studio.payloads import Annotation, Json, Project, Task
from testing.label_studio.server import ThreadedServer

# As recorded. The user agent of Label Studio's requests to a backend is Heartex, that of its webhooks is requests.
_HEADERS = {"User-Agent": "heartex/1.23.2"}
_HEALTH_SECONDS, _SETUP_SECONDS, _PREDICT_SECONDS = 1.0, 3.0, 100.0


class BackendFailed(Exception):  # noqa: N818 - it says what happened
    """Raised for an answer of the backend that Label Studio cannot use. The message says what it is."""


@dataclass(frozen=True)
class Upload:
    """One picture to import, with the other data of its task."""

    picture: Path
    data: Mapping[str, Any]


class SimulatedLabelStudio:
    """One project of a simulated Label Studio. As a context manager it serves its pages on 127.0.0.1.

    Threads may share it. While ``is_away`` is set, its pages answer 503.
    """

    def __init__(
        self,
        label_config: str,
        backend_url: str,
        *,
        title: str = "Tagloom demo",
        project_id: int = 2,
        faults: Faults | None = None,
    ) -> None:
        self.token = secrets.token_hex(20)
        self.backend_url = backend_url.rstrip("/")
        created = datetime.now(UTC)
        self.project = Project(project_id, title, label_config, created, token=secrets.token_hex(20))
        self._pictures: dict[str, Path] = {}
        self.is_away = False
        self._server = ThreadedServer(build(self.project, self._pictures, self.token, lambda: self.is_away))
        self._client = httpx.Client(base_url=self.backend_url, headers=_HEADERS)
        self.deliveries = Deliveries(self._client, "/webhook", faults or Faults())
        # Held while tasks or annotations change, but not while requests are sent: the backend may request pages then.
        self._changing = threading.RLock()
        self._last_annotation = 0

    def __enter__(self) -> "SimulatedLabelStudio":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.deliveries.close()
        self._client.close()
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url

    # Requests of Label Studio to the backend

    def health(self) -> Json:
        """Send GET /health and return the answer. Raises BackendFailed."""
        return self._asked(lambda: self._client.get("/health", timeout=_HEALTH_SECONDS))

    def setup(self) -> str:
        """Send POST /setup and return the model version, empty while the backend has none. Raises BackendFailed."""
        body = payloads.setup_body(self.project, self.url, self.token)
        answer = self._asked(lambda: self._client.post("/setup", json=body, timeout=_SETUP_SECONDS))
        version = answer.get("model_version", "")
        if not isinstance(version, str):
            raise BackendFailed(f"/setup answered a model_version that is no text: {str(answer)[:200]}")
        return version

    def predict(self, ids: Sequence[int], *, keep: bool = True) -> list[Json]:
        """Send one POST /predict for these tasks, and return their predictions in order.

        With ``keep`` they are stored with the tasks, as in Label Studio. Raises BackendFailed for answers that Label
        Studio would show as an error or not store.
        """
        # Tasks may be deleted by other threads while the body is built.
        with self._changing:
            body = payloads.predict_body(self.project, [self.project.tasks[one] for one in ids])
        answer = self._asked(lambda: self._client.post("/predict", json=body, timeout=_PREDICT_SECONDS))
        results = checked_results(answer, len(ids))
        if keep:
            self._keep(ids, results)
        return results

    def start_training(self) -> Json:
        """Press the button Start training, and return the answer. Raises BackendFailed."""
        body = payloads.project_event("START_TRAINING", self.project)
        return self._asked(lambda: self._client.post("/webhook", json=body, timeout=_PREDICT_SECONDS))

    # Actions of users in Label Studio

    def import_tasks(self, uploads: Sequence[Upload]) -> list[int]:
        """Upload pictures as tasks, send TASKS_CREATED, and return the ids of the new tasks."""
        with self._changing:
            tasks: list[Task] = []
            for upload in uploads:
                number = max(self.project.tasks, default=0) + 1
                name = f"{secrets.token_hex(4)}-{upload.picture.name}"
                self._pictures[name] = upload.picture
                data = {"image": f"/data/upload/{self.project.id}/{name}", **upload.data}
                self.project.tasks[number] = Task(number, number, self.project.id, data, _now(), _now())
                tasks.append(self.project.tasks[number])
            event = payloads.tasks_created(self.project, tasks)
        self.deliveries.send(event)
        return [task.id for task in tasks]

    def annotate(self, task_id: int, result: list[Json], *, skip: bool = False) -> int:
        """Submit (or skip) a task, send ANNOTATION_CREATED, and return the id of the annotation."""
        return self.submit(task_id, {"result": [] if skip else result, "was_cancelled": skip}).id

    def submit(self, task_id: int, fields: Mapping[str, Any], person: int = payloads.USER) -> Annotation:
        """Create an annotation with these fields, send ANNOTATION_CREATED, and return the annotation."""
        with self._changing:
            self._last_annotation += 1
            number, now = self._last_annotation, _now()
            annotation = Annotation(number, task_id, self.project.id, created_at=now, updated_at=now, **fields)
            annotation.completed_by = person
            self.project.tasks[task_id].annotations.append(annotation)
            event = self._annotation_event("ANNOTATION_CREATED", annotation)
        self.deliveries.send(event)
        return annotation

    def update(self, annotation_id: int, result: list[Json]) -> None:
        """Change an annotation and send ANNOTATION_UPDATED."""
        with self._changing:
            annotation = self._annotation(annotation_id)
            annotation.result, annotation.updated_at = result, _now()
            event = self._annotation_event("ANNOTATION_UPDATED", annotation)
        self.deliveries.send(event)

    def delete(self, annotation_ids: Sequence[int]) -> None:
        """Delete annotations and send ANNOTATIONS_DELETED, which contains only ids."""
        with self._changing:
            for annotation in [self._annotation(one) for one in annotation_ids]:
                self.project.tasks[annotation.task].annotations.remove(annotation)
            event = payloads.deleted("ANNOTATIONS_DELETED", "annotations", self.project, annotation_ids)
        self.deliveries.send(event)

    def delete_tasks(self, ids: Sequence[int]) -> None:
        """Delete tasks with their annotations and send TASKS_DELETED."""
        with self._changing:
            for one in ids:
                del self.project.tasks[one]
            event = payloads.deleted("TASKS_DELETED", "tasks", self.project, ids)
        self.deliveries.send(event)

    def _annotation(self, annotation_id: int) -> Annotation:
        return next(one for task in self.project.tasks.values() for one in task.annotations if one.id == annotation_id)

    def _annotation_event(self, action: str, annotation: Annotation) -> Json:
        task = self.project.tasks[annotation.task]
        task.updated_at = _now()
        return payloads.annotation_event(action, self.project, task, annotation)

    def _keep(self, ids: Sequence[int], results: Sequence[Json]) -> None:
        """Store predictions with their tasks."""
        with self._changing:
            for one, result in zip(ids, results, strict=True):
                self.project.keep(one, result)

    def _asked(self, ask: Callable[[], httpx.Response]) -> Json:
        """Send a request and return its JSON object. Raises BackendFailed for any other answer."""
        try:
            response = ask()
            answer = response.json()
        except httpx.HTTPError as error:
            raise BackendFailed(f"no answer: {type(error).__name__} {error}".strip()) from error
        except ValueError as error:
            raise BackendFailed(f"an answer that is not JSON (HTTP {response.status_code})") from error
        if not response.is_success:
            raise BackendFailed(f"HTTP {response.status_code} from {response.request.url.path}: {str(answer)[:200]}")
        if not isinstance(answer, dict):
            raise BackendFailed(f"{response.request.url.path} answered JSON that is no object")
        return answer


def checked_results(answer: Json, count: int) -> list[Json]:
    """Return the ``results`` of a /predict answer. BackendFailed for those that Label Studio would refuse or drop."""
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != count:
        found = len(results) if isinstance(results, list) else "no"
        raise BackendFailed(f"/predict answered {found} results for {count} tasks")
    for result in results:
        if not isinstance(result, dict) or not isinstance(result.get("result"), list):
            raise BackendFailed(f"/predict answered an item without result: {str(result)[:100]}")
        if not isinstance(result.get("model_version"), str):
            raise BackendFailed("/predict answered an item without model_version")
        if not isinstance(result.get("score"), int | float | None):
            raise BackendFailed("/predict answered a score that is no number")
    return results


def _now() -> str:
    return payloads.timestamp(datetime.now(UTC))

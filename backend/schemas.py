"""Label Studio's requests and the backend's answers as typed models.

Unknown keys are ignored, because Label Studio's payloads grow with its releases.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from labelstudio.drawing import Stored, entries_of
from store.changes import is_id

MAX_ID = 2**63 - 1  # the largest integer of the database
# Most tasks of one request. Label Studio sends all selected tasks at once.
MOST_TASKS = 20_000
MOST_DRAWN = 1_000  # regions in the context of an interactive request
Id = Annotated[int, Field(ge=0, le=MAX_ID, strict=True)]
ProjectUid = Annotated[
    str, Field(pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?$", description="Project id and creation second: 2.1795288797")
]


def _if_a(kind: type) -> Callable[[Any], Any]:
    """Return a validator that replaces values of other types with None."""
    return lambda value: value if isinstance(value, kind) else None


class Loose(BaseModel):
    """A payload whose unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class TaskIn(Loose):
    """One task of a request, with the keys that the backend uses.

    A value of the wrong type counts as absent, so that the other tasks of the request get their answers. The stored
    predictions, annotations and drafts may have any shape; ``stored`` reads them.
    """

    id: Annotated[Id | None, BeforeValidator(lambda value: value if is_id(value) else None)] = None
    data: Annotated[dict[str, Any] | None, BeforeValidator(_if_a(dict))] = None
    updated_at: Annotated[str | None, BeforeValidator(_if_a(str))] = None
    predictions: Any = None
    annotations: Any = None
    drafts: Any = None

    @model_validator(mode="before")
    @classmethod
    def _object(cls, task: Any) -> Any:
        return task if isinstance(task, dict) else {}

    @property
    def stored(self) -> Stored:
        """The regions that Label Studio stores for the task: of its draft, annotations and predictions."""
        return Stored.of(self.drafts, self.annotations, self.predictions)

    def payload(self) -> dict[str, Any]:
        """Return the task in the shape of Label Studio's task object."""
        return {"id": self.id, "data": self.data or {}, "updated_at": self.updated_at}

    def has_version(self, version: str) -> bool:
        return any(prior.get("model_version") == version for prior in entries_of(self.predictions))


class Context(Loose):
    """Interactive mode's context: all regions of the kind and label that the annotator has just drawn."""

    result: list[dict[str, Any]] | None = Field(None, max_length=MOST_DRAWN, fail_fast=True)


class PredictParams(Loose):
    """Label Studio's ``params``. Its login and password are for the tasks' data and are not used."""

    context: Context | None = None


class PredictRequest(Loose):
    """POST /predict: all selected tasks at once."""

    tasks: list[TaskIn] = Field(max_length=MOST_TASKS, fail_fast=True)
    project: ProjectUid
    label_config: str = ""
    params: PredictParams | None = None


class TaskPrediction(BaseModel):
    """One task's answer. ``result`` is empty, never null, when it has no regions."""

    model_config = ConfigDict(protected_namespaces=())

    result: list[dict[str, Any]]
    score: float = Field(ge=0, le=1, description="Confidence in the whole task; the lowest is worth a label most.")
    model_version: str


class PredictResponse(BaseModel):
    """One item per task, in order."""

    model_config = ConfigDict(protected_namespaces=())

    results: list[TaskPrediction]
    model_version: str


def json_of(answer: TaskPrediction) -> bytes:
    """Return one task's answer as /predict writes it."""
    return json.dumps(answer.model_dump(), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class SetupRequest(Loose):
    """POST /setup. Anybody may write any ``hostname``, so no request is ever sent to it."""

    project: ProjectUid
    label_config: str = Field(alias="schema")
    hostname: str | None = None
    access_token: str | None = None
    extra_params: Any = None


class SetupResponse(BaseModel):
    """The version of /predict's answers; left out only while the project has no version yet."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str | None = None


class WebhookProject(BaseModel):
    """The project object of a webhook, with all of its keys."""

    model_config = ConfigDict(extra="allow")

    id: Id
    created_at: str


class WebhookRequest(BaseModel):
    """The body of any webhook, also of the one that the button Start training sends."""

    model_config = ConfigDict(extra="allow")

    action: str = Field(max_length=100)
    project: WebhookProject

    def payload(self) -> dict[str, Any]:
        """Return the body as it was sent. Its parts are not copied, because they may be large."""
        project = {"id": self.project.id, "created_at": self.project.created_at, **(self.project.model_extra or {})}
        return {"action": self.action, "project": project, **(self.model_extra or {})}


class WebhookResponse(BaseModel):
    """The answer to a webhook. ``job`` names the requested training, if one was requested."""

    status: Literal["ok"] = "ok"
    job: str | None = None


class Health(BaseModel):
    """UP as soon as the process answers, DOWN when the encoders cannot be loaded. ``ready`` says that they are.

    ``degraded`` says why labels may come late. It changes neither status: answers are as good as ever, and Label Studio
    or a load balancer must not take the backend away.
    """

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["UP", "DOWN"]
    ready: bool
    degraded: list[str] = []
    model_class: str = "Tagloom"


class VersionList(BaseModel):
    """The versions of all projects that have served or may serve, newest first."""

    versions: list[str]


class Problem(BaseModel):
    """An error: ``detail`` says what is wrong and what to do."""

    detail: str

"""What Label Studio sends and gets, as typed models. Unknown keys are passed over: its payloads grow with releases."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from labelstudio.drawing import Stored, entries_of
from store.changes import is_id

MAX_ID = 2**63 - 1  # what a database's integer holds
MOST_TASKS = 20_000  # of one request; Label Studio sends all that are selected
MOST_DRAWN = 1_000  # regions that were drawn before an answer in interactive mode
Id = Annotated[int, Field(ge=0, le=MAX_ID, strict=True)]
ProjectUid = Annotated[
    str, Field(pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?$", description="Project id and creation second: 2.1795288797")
]


def _if_a(kind: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kind) else None


class Loose(BaseModel):
    """A payload whose unknown keys do not matter."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class TaskIn(Loose):
    """One task, as far as it matters here. What has another shape than these counts as absent: the other tasks of the
    request have their answers. What Label Studio stores for the task may have any shape."""

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
        """The regions that Label Studio stores for the task."""
        return Stored.of(self.drafts, self.annotations, self.predictions)

    def payload(self) -> dict[str, Any]:
        """In the shape of Label Studio's task object."""
        return {"id": self.id, "data": self.data or {}, "updated_at": self.updated_at}

    def has_version(self, version: str) -> bool:
        return any(prior.get("model_version") == version for prior in entries_of(self.predictions))


class Context(Loose):
    """In interactive mode all regions of the kind and label that an annotator just drew."""

    result: list[dict[str, Any]] | None = Field(None, max_length=MOST_DRAWN, fail_fast=True)


class PredictParams(Loose):
    """Label Studio's ``params``; login and password belong to task data and are not used."""

    context: Context | None = None


class PredictRequest(Loose):
    """POST /predict: all selected tasks at once."""

    tasks: list[TaskIn] = Field(max_length=MOST_TASKS, fail_fast=True)
    project: ProjectUid
    label_config: str = ""
    params: PredictParams | None = None


class TaskPrediction(BaseModel):
    """One task's answer. An empty ``result`` says that there is nothing to show, never null."""

    model_config = ConfigDict(protected_namespaces=())

    result: list[dict[str, Any]]
    score: float = Field(ge=0, le=1, description="Confidence in the whole task; the lowest is worth a label most.")
    model_version: str


class PredictResponse(BaseModel):
    """One item per task, in order."""

    model_config = ConfigDict(protected_namespaces=())

    results: list[TaskPrediction]
    model_version: str


class SetupRequest(Loose):
    """POST /setup. ``hostname`` is the caller's word and is never fetched."""

    project: ProjectUid
    label_config: str = Field(alias="schema")
    hostname: str | None = None
    access_token: str | None = None
    extra_params: Any = None


class SetupResponse(BaseModel):
    """The version that /predict answers with; it is left out only while the very first one is being made."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str | None = None


class WebhookProject(BaseModel):
    """The project object of a webhook; all its keys are handed on."""

    model_config = ConfigDict(extra="allow")

    id: Id
    created_at: str


class WebhookRequest(BaseModel):
    """Any webhook, and the Start training button."""

    model_config = ConfigDict(extra="allow")

    action: str = Field(max_length=100)
    project: WebhookProject

    def payload(self) -> dict[str, Any]:
        """As it was sent: what is inside may be large, so it is not copied."""
        project = {"id": self.project.id, "created_at": self.project.created_at, **(self.project.model_extra or {})}
        return {"action": self.action, "project": project, **(self.model_extra or {})}


class WebhookResponse(BaseModel):
    """``job`` names the training that was asked for."""

    status: Literal["ok"] = "ok"
    job: str | None = None


class Health(BaseModel):
    """UP as soon as the process answers; ``ready`` once the encoders are loaded; DOWN when they cannot be."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["UP", "DOWN"]
    ready: bool
    model_class: str = "Tagloom"


class VersionList(BaseModel):
    """Versions of all projects that served or may serve, newest first."""

    versions: list[str]


class Problem(BaseModel):
    """What is wrong and what to do."""

    detail: str

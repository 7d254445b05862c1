"""Bodies as Label Studio 1.23.2 sends them, with the same keys and types as recorded ones (tests compare them)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

Json = dict[str, Any]

USER = 1
ORGANIZATION = 1
_LABELS_OF = {"Choices": "Choice", "RectangleLabels": "Label"}


def timestamp(moment: datetime) -> str:
    """Return a time (UTC) in Label Studio's notation."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Annotation:
    """One annotation of one task. ``result`` holds regions in Label Studio's format."""

    id: int
    task: int
    project: int
    result: list[Json]
    created_at: str
    updated_at: str
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float = 3.5
    parent_prediction: int | None = None
    bulk_created: bool = False
    completed_by: int = USER
    unique_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def body(self) -> Json:
        return {
            "id": self.id,
            "result": self.result,
            "was_cancelled": self.was_cancelled,
            "ground_truth": self.ground_truth,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "draft_created_at": None,
            "lead_time": self.lead_time,
            "prediction": {},
            "result_count": len(self.result),
            "unique_id": self.unique_id,
            "import_id": None,
            "last_action": None,
            "bulk_created": self.bulk_created,
            "task": self.task,
            "project": self.project,
            "completed_by": self.completed_by,
            "updated_by": self.completed_by,
            "parent_prediction": self.parent_prediction,
            "parent_annotation": None,
            "last_created_by": None,
        }


@dataclass
class StoredPrediction:
    """A prediction as Label Studio keeps it and sends it along with its task."""

    id: int
    task: int
    project: int
    result: list[Json]
    score: float | None
    model_version: str
    created_at: str
    updated_at: str

    def say(self, said: Json) -> None:
        """Replace the content by a backend's newer answer."""
        self.result, self.score = said["result"], said.get("score")
        self.model_version = str(said.get("model_version", ""))
        self.updated_at = timestamp(datetime.now(UTC))

    def body(self) -> Json:
        return {
            "id": self.id,
            "result": self.result,
            "model_version": self.model_version,
            "created_ago": "0 minutes",
            "score": self.score,
            "cluster": None,
            "neighbors": None,
            "mislabeling": 0.0,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "model": None,
            "model_run": None,
            "task": self.task,
            "project": self.project,
        }


@dataclass
class Task:
    """One task with everything that Label Studio knows of it."""

    id: int
    inner_id: int
    project: int
    data: Json
    created_at: str
    updated_at: str
    annotations: list[Annotation] = field(default_factory=list)
    predictions: list[StoredPrediction] = field(default_factory=list)
    drafts: int = 0  # of the task or of its annotations

    @property
    def is_labeled(self) -> bool:
        return any(not one.was_cancelled for one in self.annotations)

    def _counted(self) -> Json:
        submitted = [one for one in self.annotations if not one.was_cancelled]
        return {
            "id": self.id,
            "data": self.data,
            "meta": {},
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "is_labeled": self.is_labeled,
            "overlap": 1,
            "inner_id": self.inner_id,
            "total_annotations": len(submitted),
            "cancelled_annotations": len(self.annotations) - len(submitted),
            "total_predictions": len(self.predictions),
            "comment_count": 0,
            "unresolved_comment_count": 0,
            "last_comment_updated_at": None,
            "project": self.project,
            "updated_by": USER if self.annotations else None,
            "file_upload": None,
            "comment_authors": [],
        }

    def in_predict(self) -> Json:
        """Return the task as part of a /predict request."""
        return {
            **self._counted(),
            "annotations": [one.body() for one in self.annotations],
            "predictions": [one.body() for one in self.predictions],
        }

    def in_webhook(self) -> Json:
        """Return the task as part of a webhook: without annotations and predictions."""
        return {**self._counted(), "allow_skip": True, "precomputed_agreement": None}


@dataclass(frozen=True)
class Control:
    """A control of a labelling config. ``to_name`` is the object tag that it labels."""

    name: str
    kind: str
    to_name: str
    labels: tuple[str, ...]


def controls_of(label_config: str) -> list[Control]:
    """Return the Choices and RectangleLabels of a labelling config."""
    root = ElementTree.fromstring(label_config)
    return [
        Control(
            name=tag.get("name", ""),
            kind=tag.tag,
            to_name=tag.get("toName", ""),
            labels=tuple(label.get("value", "") for label in tag.iter(_LABELS_OF[tag.tag])),
        )
        for tag in root.iter()
        if tag.tag in _LABELS_OF
    ]


@dataclass
class Project:
    """A project and its tasks. The key in /setup and /predict consists of the id and the time of creation."""

    id: int
    title: str
    label_config: str
    created: datetime
    token: str
    tasks: dict[int, Task] = field(default_factory=dict)
    model_version: str = ""
    last_prediction: int = 0

    def keep(self, task_id: int, said: Json) -> StoredPrediction:
        """Store a backend's prediction for a task, and return it. It gets a new id."""
        self.last_prediction += 1
        at = timestamp(datetime.now(UTC))
        stored = StoredPrediction(self.last_prediction, task_id, self.id, [], None, "", at, at)
        stored.say(said)
        self.tasks[task_id].predictions.append(stored)
        return stored

    @property
    def key(self) -> str:
        """The project's key: ``<id>.<created_at as unix seconds>``."""
        return f"{self.id}.{int(self.created.timestamp())}"

    def body(self) -> Json:
        """Return the project as part of a webhook or as an API answer."""
        controls = controls_of(self.label_config)
        return {
            "id": self.id,
            **self._counters(),
            "title": self.title,
            "description": "",
            "label_config": self.label_config,
            "parsed_label_config": {one.name: _parsed(one) for one in controls},
            "label_config_hash": hash(self.label_config),
            "expert_instruction": "",
            "show_instruction": False,
            "show_skip_button": True,
            "enable_empty_annotation": True,
            "reveal_preannotations_interactively": False,
            "show_annotation_history": False,
            "show_collab_predictions": True,
            "evaluate_predictions_automatically": False,
            "token": self.token,
            "result_count": 0,
            "color": "#FFFFFF",
            "maximum_annotations": 1,
            "min_annotations_to_start_training": 0,
            "control_weights": {
                one.name: {"overall": 1.0, "type": one.kind, "labels": dict.fromkeys(one.labels, 1.0)}
                for one in controls
            },
            "model_version": self.model_version,
            "data_types": {"image": "Image", "title": "Text"},
            "is_draft": False,
            "is_published": False,
            "created_at": timestamp(self.created),
            "updated_at": timestamp(self.created),
            "sampling": "Sequential sampling",
            "skip_queue": "REQUEUE_FOR_OTHERS",
            "show_ground_truth_first": False,
            "annotator_evaluation_enabled": False,
            "show_overlap_first": False,
            "overlap_cohort_percentage": 100,
            "task_data_login": None,
            "task_data_password": None,
            "pinned_at": None,
            "custom_task_lock_ttl": None,
            "deleted_at": None,
            "purge_at": None,
            "search_vector": None,
            "organization": ORGANIZATION,
            "created_by": USER,
            "deleted_by": None,
        }

    def _counters(self) -> Json:
        annotations = [one for task in self.tasks.values() for one in task.annotations]
        submitted = [one for one in annotations if not one.was_cancelled]
        labelled = len({one.task for one in submitted})
        return {
            "task_number": len(self.tasks),
            "finished_task_number": labelled,
            "total_predictions_number": sum(len(task.predictions) for task in self.tasks.values()),
            "total_annotations_number": len(submitted),
            "num_tasks_with_annotations": labelled,
            "useful_annotation_number": len(submitted),
            "ground_truth_number": sum(one.ground_truth for one in annotations),
            "skipped_annotations_number": len(annotations) - len(submitted),
        }


def _parsed(control: Control) -> Json:
    return {
        "type": control.kind,
        "to_name": [control.to_name],
        "inputs": [{"type": "Image", "valueType": None, "value": "image"}],
        "labels": list(control.labels),
        "labels_attrs": {label: {"value": label} for label in control.labels},
    }


def setup_body(project: Project, hostname: str, access_token: str) -> Json:
    return {
        "project": project.key,
        "schema": project.label_config,
        "hostname": hostname,
        "access_token": access_token,
        "extra_params": None,
    }


def predict_body(project: Project, tasks: Sequence[Task]) -> Json:
    return {
        "tasks": [task.in_predict() for task in tasks],
        "project": project.key,
        "label_config": project.label_config,
        "params": {"login": None, "password": None, "context": None},
    }


def annotation_event(action: str, project: Project, task: Task, annotation: Annotation) -> Json:
    """Return the body of ANNOTATION_CREATED or ANNOTATION_UPDATED."""
    return {"action": action, "annotation": annotation.body(), "project": project.body(), "task": task.in_webhook()}


def tasks_created(project: Project, tasks: Sequence[Task]) -> Json:
    return {"action": "TASKS_CREATED", "tasks": [task.in_webhook() for task in tasks], "project": project.body()}


def deleted(action: str, key: str, project: Project, ids: Sequence[int]) -> Json:
    """Return the body of ANNOTATIONS_DELETED (key ``annotations``) or TASKS_DELETED (key ``tasks``): ids only."""
    return {"action": action, key: [{"id": one} for one in ids], "project": project.body()}


def project_event(action: str, project: Project) -> Json:
    """Return the body of START_TRAINING or PROJECT_UPDATED."""
    return {"action": action, "project": project.body()}


def choices_region(control: Control, labels: Sequence[str]) -> Json:
    """Return the region of submitted tags."""
    return {
        "id": uuid.uuid4().hex[:10],
        "from_name": control.name,
        "to_name": control.to_name,
        "type": "choices",
        "value": {"choices": list(labels)},
    }


def rectangle_region(control: Control, label: str, percent: Mapping[str, float], size: tuple[int, int]) -> Json:
    """Return the region of a drawn rectangle.

    ``percent`` holds x, y, width and height, ``size`` the picture's width and height in pixels.
    """
    return {
        "id": uuid.uuid4().hex[:10],
        "from_name": control.name,
        "to_name": control.to_name,
        "type": "rectanglelabels",
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": {**percent, "rotation": 0, "rectanglelabels": [label]},
    }

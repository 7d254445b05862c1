"""Write annotations into Label Studio as a person would, and take back those that nobody has changed since.

Measured on Label Studio 1.23.2: ``unique_id`` is unique among all annotations, and a second one is answered with 409;
deleting an annotation also deletes the drafts of those who are changing it; ``draft_exists`` of a listed task tells of
drafts of everybody, of the task itself and of its annotations.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelstudio.api import LabelStudioClient
from labelstudio.changes import annotation_state
from labelstudio.regions import Region

DUPLICATE = 409
_NAMES = uuid.UUID("5c0a5f3e-6f0f-4b43-9d60-6a0f0d3c1a75")

Json = Mapping[str, Any]


class AnnotationClient(LabelStudioClient):
    """A client that also writes and deletes single annotations."""

    def create_annotation(self, task_id: int, fields: Json) -> dict[str, Any]:
        """Create an annotation (``result``, ``lead_time`` ...) and return it as Label Studio holds it."""
        return dict(self._call("POST", f"/api/tasks/{task_id}/annotations/", json=dict(fields)))

    def annotation(self, annotation_id: int) -> dict[str, Any]:
        """Return an annotation."""
        return dict(self._call("GET", f"/api/annotations/{annotation_id}/"))

    def delete_annotation(self, annotation_id: int) -> None:
        """Delete an annotation, and the drafts of those who are changing it."""
        self._call("DELETE", f"/api/annotations/{annotation_id}/")


@dataclass(frozen=True)
class Acceptance:
    """A proposal that a person accepts for a task: the regions, the version that gave them, and the person's seconds.

    ``project`` is the project's key.
    """

    project: str
    task_id: int
    version: str
    result: Sequence[Json]
    seconds: float

    def fields(self, parent: int | None) -> dict[str, Any]:
        """Return the annotation's fields. ``parent`` is the stored prediction that it was made from, if there is one.

        A task gets one annotation by review, whoever sends it and however often: its ``unique_id`` sees to that. As
        ``bulk_created`` its lead time is no measure of a person who labels one picture after the other.
        """
        named = {"parent_prediction": parent} if parent is not None else {}
        return {
            "result": list(self.result),
            "lead_time": self.seconds,
            "unique_id": str(uuid.uuid5(_NAMES, f"{self.project}/{self.task_id}")),
            "bulk_created": True,
            **named,
        }

    def parent(self, task: Json) -> int | None:
        """Return the id of the task's stored prediction of the version that has these regions; None without one."""
        mine = {region["id"] for region in self.result}
        for prediction in task["predictions"]:
            ids = {region.get("id") for region in prediction["result"] or [] if isinstance(region, dict)}
            if prediction["model_version"] == self.version and ids == mine:
                return int(prediction["id"])
        return None

    def written(self, task: Json) -> Json | None:
        """Return the annotation of the task by which this proposal was accepted; None if there is none."""
        mine = list(self.result)
        found = (one for one in task["annotations"] if one.get("bulk_created") and one["result"] == mine)
        return next(found, None)


def submitted(result: Sequence[Region]) -> list[Region]:
    """Return a proposal's regions as the editor submits them where the person changed none."""
    return [{**region, "origin": "prediction"} for region in result]


def digest_of(annotation: Json) -> str:
    """Return a hash of what an annotation says: regions, skipped or not, ground truth or not, and whose it is."""
    return hashlib.sha256(annotation_state(annotation).content.encode()).hexdigest()


def is_in_work(task: Json) -> bool:
    """Return whether anybody has a draft of the task, or of one of its annotations."""
    return bool(task.get("draft_exists") or task.get("drafts"))

"""Webhook bodies in Label Studio's shape, cut to the fields that matter."""

from datetime import UTC, datetime, timedelta
from typing import Any

CONFIG = '<View><Image name="image" value="$image"/></View>'


def stamp(second: int) -> str:
    """An instant as Label Studio writes it: microseconds only where there are some."""
    moment = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(milliseconds=500 * second)
    return moment.isoformat().replace("+00:00", "Z")


def project(config: str = CONFIG, second: int = 0) -> dict[str, Any]:
    return {
        "id": 2,
        "title": "shop",
        "label_config": config,
        "token": "secret-token",
        "created_at": stamp(0),
        "updated_at": stamp(second),
    }


def task(task_id: int, second: int = 0, title: str = "tea") -> dict[str, Any]:
    return {"id": task_id, "data": {"image": f"/{task_id}.png", "title": title}, "updated_at": stamp(second)}


def annotation(
    annotation_id: int, task_id: int, second: int, labels: tuple[str, ...] = ("a",), **more: Any
) -> dict[str, Any]:
    result = [{"from_name": "tags", "to_name": "image", "type": "choices", "value": {"choices": list(labels)}}]
    fields = {"result": result, "was_cancelled": False, "ground_truth": False, "completed_by": 1}
    return {"id": annotation_id, "task": task_id, "updated_at": stamp(second), **fields, **more}


def saved(entry: dict[str, Any], second: int, action: str = "ANNOTATION_CREATED") -> dict[str, Any]:
    return {"action": action, "annotation": entry, "task": task(entry["task"], second), "project": project()}


def deleted(*annotation_ids: int) -> dict[str, Any]:
    entries = [{"id": annotation_id} for annotation_id in annotation_ids]
    return {"action": "ANNOTATIONS_DELETED", "annotations": entries, "project": project()}


def tasks_deleted(*task_ids: int) -> dict[str, Any]:
    return {"action": "TASKS_DELETED", "tasks": [{"id": task_id} for task_id in task_ids], "project": project()}

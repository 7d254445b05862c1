"""Annotations as Label Studio's editor makes them, from the gold of the samples."""

from typing import Any

from tagloom.datasets.dataset import Sample
from tests.e2e.conftest import Running


def annotate(running: Running, task: dict[str, Any]) -> None:
    """Submit the sample's gold for a task, as the editor would."""
    sample = running.sample_of(task)
    result = [rectangle(f"r{index}", box.label, sample, box) for index, box in enumerate(sample.boxes)]
    tags = {"choices": list(sample.labels)}
    result.append({"id": "tags", "from_name": "elements", "to_name": "image", "type": "choices", "value": tags})
    running.api.call("POST", f"/api/tasks/{task['id']}/annotations/", json={"result": result, "lead_time": 5.0})


def rectangle(name: str, label: str, sample: Sample, box: Any) -> dict[str, Any]:
    """A drawn rectangle."""
    value = {
        "x": box.x,
        "y": box.y,
        "width": box.width,
        "height": box.height,
        "rotation": 0,
        "rectanglelabels": [label],
    }
    size = {"original_width": 400, "original_height": 400, "image_rotation": 0}
    return {"id": name, "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": value, **size}

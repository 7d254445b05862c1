"""The sample project in Label Studio: pictures, tasks and label config."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tagloom.datasets.dataset import Sample
from tagloom_base.errors import UserError
from tools.project import label_config, task_data

TITLE = "Tagloom samples"
# Pictures of one upload request. Label Studio refuses more than 100 files.
UPLOAD_BATCH = 50

_PICTURE_ONLY = '<View><Image name="image" value="$image"/></View>'


class LabelStudio:
    """A client of Label Studio's API for ``tagloom up``, with a legacy token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=120)

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Send a request and return the JSON answer. UserError, with Label Studio's own text, when it refuses."""
        try:
            answer = self._client.request(method, path, **body)
        except httpx.HTTPError as broken:
            raise UserError(f"Label Studio at {self.url} does not answer ({broken}); see its log") from broken
        if not answer.is_success:
            raise UserError(f"Label Studio refused {method} {path} ({answer.status_code}): {answer.text[:300]}")
        return answer.json() if answer.content else None

    def close(self) -> None:
        self._client.close()


def ensure_project(api: LabelStudio, samples: Sequence[Sample], labels: Sequence[str]) -> int:
    """Return the id of the sample project. If it does not exist, create it with its pictures and tasks.

    An incomplete project of a killed run is removed and created again. It has no annotations yet.
    """
    for project in api.call("GET", "/api/projects/?page_size=1000")["results"]:
        if project["title"] == TITLE:
            if project["task_number"] >= len(samples):
                return int(project["id"])
            api.call("DELETE", f"/api/projects/{project['id']}/")
    # Pictures can be uploaded only while the config has a single data key.
    project = api.call("POST", "/api/projects/", json={"title": TITLE, "label_config": _PICTURE_ONLY})
    project_id = int(project["id"])
    stored = _upload(api, project_id, [sample.image for sample in samples])
    api.call("PATCH", f"/api/projects/{project_id}/", json={"label_config": label_config(labels)})
    tasks = [
        {"data": {"image": stored[sample.image.name], **task_data(sample.title, sample.level1, sample.level2)}}
        for sample in samples
    ]
    api.call("POST", f"/api/projects/{project_id}/import", json=tasks)
    return project_id


def _upload(api: LabelStudio, project_id: int, pictures: Sequence[Path]) -> dict[str, str]:
    """Upload pictures without creating tasks. Return a dict: name of the picture → its URL."""
    for start in range(0, len(pictures), UPLOAD_BATCH):
        batch = pictures[start : start + UPLOAD_BATCH]
        files = {f"file{index}": (picture.name, picture.read_bytes()) for index, picture in enumerate(batch)}
        api.call("POST", f"/api/projects/{project_id}/import?commit_to_project=false", files=files)
    uploads = api.call("GET", f"/api/projects/{project_id}/file-uploads?all=true")
    # Label Studio stores NAME as upload/<project>/<8 hex>-NAME.
    return {Path(upload["file"]).name.partition("-")[2]: f"/data/{upload['file']}" for upload in uploads}

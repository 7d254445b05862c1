"""Uncertainty sampling in Label Studio's community edition, which shows the task with the lowest score first.

Label Studio sorts by predictions whose version equals the project's `model_version`, and asks the backend only while
that equals the backend's title. So a new version is introduced in three steps: the first tasks get its predictions,
then the backend gets its name as title, then the project gets it as `model_version`. In this order tasks are never
chosen at random, and Label Studio asks the backend all the time.
"""

from collections.abc import Collection

from labelstudio.api import LabelStudioClient
from tagloom_base.errors import UserError

SAMPLING = "Uncertainty sampling"


def go_by(client: LabelStudioClient, project_id: int, version: str, ours: Collection[str]) -> None:
    """Make a project's sampling use a version whose predictions are stored; ``ours`` are all versions of this backend.

    Raises UserError when the backend that Label Studio asks is not this one.
    """
    backends = client.backends(project_id)
    # Label Studio asks only the first backend of a project.
    if not backends or str(backends[0].get("model_version")) not in ours:
        raise UserError(
            "the project's first ML backend in Label Studio is not this one: uncertainty sampling is left alone"
        )
    backend = backends[0]
    if backend["title"] != version:
        client.rename_backend(backend, version)
    wanted = {"model_version": version, "sampling": SAMPLING}
    project = client.project(project_id)
    if any(project.get(name) != value for name, value in wanted.items()):
        client.change_project(project_id, wanted)

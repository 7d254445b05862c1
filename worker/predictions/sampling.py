"""Uncertainty sampling in Label Studio's community edition, which serves the lowest score of one version first.

It goes by predictions whose version equals the project's `model_version`, and asks the backend only while that is the
backend's title. So the first tasks get a new version's predictions, then the backend is called by its name, then the
project goes by it: in this order there is no moment at which tasks come at random or the backend is not asked.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from labelstudio.api import LabelStudioClient
from tagloom_base.errors import UserError

SAMPLING = "Uncertainty sampling"


def go_by(client: LabelStudioClient, project_id: int, version: str, ours: Collection[str]) -> None:
    """Let a project's sampling go by a version, whose predictions are stored; ``ours`` are all versions of ours.

    UserError when the backend that Label Studio asks is not this one.
    """
    backend = _own(client.backends(project_id), ours)
    if backend["title"] != version:
        client.rename_backend(backend, version)
    wanted = {"model_version": version, "sampling": SAMPLING}
    there = client.project(project_id)
    if any(there.get(name) != value for name, value in wanted.items()):
        client.change_project(project_id, wanted)


def _own(backends: Sequence[Mapping[str, Any]], ours: Collection[str]) -> Mapping[str, Any]:
    """Label Studio asks a project's first backend only."""
    if backends and str(backends[0].get("model_version")) in ours:
        return backends[0]
    raise UserError(
        "the project's first ML backend in Label Studio is not this one: uncertainty sampling is left alone"
    )

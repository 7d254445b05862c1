"""The same service behind label-studio-ml's interface, for people who host their models with its server (1.0.9).

``app = server(Settings())`` is a WSGI application. The limits of that server remain: /versions takes POST only (Label
Studio sends GET), annotation webhooks cannot be guarded, and its own errors contain tracebacks. ``tagloom serve`` is
the full backend.
"""

import atexit
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from label_studio_ml import api
from label_studio_ml.model import LabelStudioMLBase, LabelStudioMLManager, ModelWrapper

from backend.metrics import Metrics
from backend.running import running
from backend.schemas import PredictParams, TaskIn
from backend.service import PredictCall, Service
from backend.ties import Dependencies, dependencies_of
from labelstudio.project import DEFAULT_CONNECTION, ProjectKey
from tagloom_base.settings import Settings

if TYPE_CHECKING:
    from flask import Flask


class ElementTagger(LabelStudioMLBase):  # type: ignore[misc]
    """One project's model with label-studio-ml's interface. It only predicts; the worker does the training."""

    def __init__(self, label_config: str, project: ProjectKey, service: Service, **kwargs: Any) -> None:
        super().__init__(label_config=label_config, **kwargs)
        self._project = project
        self._service = service

    def predict(self, tasks: Sequence[Mapping[str, Any]], **params: Any) -> list[dict[str, Any]]:
        """Return one answer per task, in order, in Label Studio's format."""
        checked = [TaskIn.model_validate(task) for task in tasks]
        drawn = PredictParams.model_validate(params).context
        context = drawn.result if drawn else None
        results, _ = self._service.predict(
            PredictCall(self._project, self.label_config or "", checked, context, time.monotonic())
        )
        return [result.model_dump() for result in results]


class ElementTaggerManager(LabelStudioMLManager):  # type: ignore[misc]
    """Replaces label-studio-ml's manager, whose single model serves only the project that was set up last.

    /setup returns the same version as the predictions have, /predict works before /setup, and webhooks go to the
    journal.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.model_dir = str(service.settings.paths.checkpoints)

    def fetch(self, project: str, label_config: str, force_reload: bool = False, **params: Any) -> ModelWrapper:
        """Handle /setup: its ``model_version`` is the version of the project's predictions."""
        key = ProjectKey.of_request(project)
        version = self.service.setup(key, label_config, params.get("access_token"))
        return ModelWrapper(ElementTagger(label_config, key, self.service), version)

    def predict(
        self, tasks: Sequence[Mapping[str, Any]], project: str, label_config: str, *_: Any, **params: Any
    ) -> tuple[list[dict[str, Any]], ModelWrapper]:
        """Handle /predict: return one answer per task, in order, and the model with their version."""
        key = ProjectKey.of_request(project)
        tagger = ElementTagger(label_config, key, self.service)
        results = tagger.predict(tasks, **params)
        version = next((result["model_version"] for result in results), None)
        return results, ModelWrapper(tagger, version)

    def webhook(self, event: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Handle /webhook: the event is durable before this returns."""
        return {"status": "ok", "job": self.service.webhook({"action": event, **data}, DEFAULT_CONNECTION)}

    def is_training(self, project: str) -> dict[str, Any]:
        """Return whether the project has gold labels that no training has used yet."""
        known = self.service.store.projects.get(str(ProjectKey.of_request(project)))
        return {"is_training": bool(known and known.has_new_gold)}

    def _get_models_from_workdir(self, project: str) -> Iterator[str]:
        """Yield the versions of a project, for its POST /versions."""
        key = str(ProjectKey.of_request(project))
        yield from (entry.version for entry in self.service.store.versions.list(key))


def server(settings: Settings, dependencies: Dependencies | None = None) -> "Flask":
    """Return label-studio-ml's Flask application with this manager. The service ends with the process."""
    stack = ExitStack()
    service = stack.enter_context(running(settings, dependencies or dependencies_of(settings), Metrics()))
    atexit.register(stack.close)
    api._manager = ElementTaggerManager(service)
    app: Flask = api._server
    return app

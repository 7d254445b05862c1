"""Uncertainty sampling in the community edition: the least certain task comes next, and the backend is still asked."""

import time
from typing import Any

import pytest
from pydantic import SecretStr

from labelstudio.project import ProjectKey
from model import checkpoint
from store.store import Store
from store.versions import Current
from tagloom.settings import Settings
from tests.backend.parts import publish
from tests.e2e.conftest import Running
from worker.predictions.sampling import offer
from worker.training.watch import NeverEnds
from worker.workplace import open_workplace

pytestmark = pytest.mark.e2e


def test_the_least_certain_task_comes_next_and_the_backend_is_still_asked(running: Running) -> None:
    settings = Settings(
        home=running.home,
        label_studio_url=running.url,
        label_studio_token=SecretStr(running.account.token),
        uncertainty_sampling=True,
    )
    with open_workplace(settings) as workplace:
        (project,) = workplace.store.projects.all()
        offer(workplace, project, NeverEnds(), lambda _: None)
        version = served(workplace.store, project.key).version
        assert shown(running)["model_version"] == version
        next_task = running.api.call("GET", f"/api/projects/{running.project}/next")
        assert scores(running, version)[next_task["id"]] == min(scores(running, version).values())

        newer = publish_next(settings, workplace.store, project.key)
        end = time.monotonic() + 60
        while running.served_version() != newer:
            assert time.monotonic() < end, f"the backend does not serve {newer}"
            time.sleep(0.5)
        asked = running.api.call("GET", f"/api/projects/{running.project}/next")
        versions = {
            entry["model_version"] for entry in running.api.call("GET", f"/api/tasks/{asked['id']}")["predictions"]
        }
        assert newer in versions  # the backend was asked for it while /next was answered
        after = workplace.store.projects.get(project.key)
        assert after
        assert after.gold_revision == project.gold_revision
    assert ProjectKey.parse(project.key).id == running.project


def served(store: Store, key: str) -> Current:
    current = store.versions.current(key)
    assert current
    return current


def shown(running: Running) -> dict[str, Any]:
    """The project as Label Studio shows it."""
    return dict(running.api.call("GET", f"/api/projects/{running.project}/"))


def scores(running: Running, version: str) -> dict[int, float]:
    """Task → score of the version, of tasks that nobody has labelled."""
    return {
        task["id"]: prediction["score"]
        for task in running.tasks()
        for prediction in task["predictions"]
        if prediction["model_version"] == version and not task["annotations"]
    }


def publish_next(settings: Settings, store: Store, key: str) -> str:
    """The served version once more under the next number; its name."""
    current = served(store, key)
    tagger = checkpoint.load(settings.checkpoints_folder / current.folder)
    number = store.versions.reserve(key)
    return publish(settings, store, key, tagger, number, current.generation).version

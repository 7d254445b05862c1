"""Changed labels and other projects: gold is kept, every version has its own project's labels, nothing leaks."""

from typing import Any

import pytest

import worker.workplace
from labelstudio.changes import change_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from model import checkpoint
from store.store import Store
from tagloom_base.settings import Settings
from testing.shop import LABELS, SHOP
from tests.worker import shop
from tests.worker.crew import environment
from tools.project import label_config
from worker import jobs, queue
from worker.corpus.corpus import assemble
from worker.watch import NeverEnds
from worker.workplace import open_workplace

KEY = str(shop.KEY)
OTHER = ProjectKey("default", 3, 1795288800)
FEWER, MORE = LABELS[:-1], (*LABELS, "新品")
RENAMED = (*LABELS[:-1], "标价")


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in this process, with the stub encoders."""
    queue.redis_of(settings.work.redis_url).flushall()
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)


def change_labels(store: Store, labels: tuple[str, ...], second: int) -> None:
    """The project's settings are saved with other labels."""
    project = {"id": 2, "label_config": label_config(labels), "updated_at": f"2026-11-22T00:00:{second:02}.000000Z"}
    store.journal.record(change_of(KEY, {"action": "PROJECT_UPDATED", "project": project}), timeout=10)


def gold_labels(settings: Settings) -> dict[int, frozenset[str]]:
    """What training sees: task id → labels."""
    with open_workplace(settings) as workplace:
        project = workplace.store.projects.get(KEY)
        assert project is not None
        config = LabelConfig.parse(project.label_config)
        corpus = assemble(workplace, project, config, NeverEnds())
    return {corpus.task_ids[row]: said.labels or frozenset() for row, said in corpus.problem.gold.items()}


@pytest.mark.usefixtures("here")
def test_gold_is_kept_when_labels_come_and_go(store: Store, settings: Settings) -> None:
    shop.open_shop(store, settings, tasks=20)
    shop.annotate(store, range(1, 16))
    full = gold_labels(settings)
    assert len(full) == 15
    assert any("价格" in labels for labels in full.values())
    revisions = []
    for second, labels in enumerate((MORE, FEWER, RENAMED, LABELS), 1):
        change_labels(store, labels, second)
        assert gold_labels(settings) == {task: said & set(labels) for task, said in full.items()}
        project = store.projects.get(KEY)
        assert project is not None
        revisions.append(project.gold_revision)
    assert revisions == sorted(set(revisions)), "each change is work for a training"
    assert gold_labels(settings) == full, "a label that comes back has its gold again"


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("labels", [MORE, FEWER, RENAMED], ids=["added", "removed", "renamed"])
def test_a_version_for_the_new_labels_follows_by_itself(
    store: Store, settings: Settings, labels: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    shop.open_shop(store, settings, tasks=60)
    shop.annotate(store, range(1, 46))
    assert "45 gold labels" in jobs.train(KEY)
    change_labels(store, labels, 1)
    with caplog.at_level("INFO", "worker.training.inheritance"):
        assert "45 gold labels" in jobs.train(KEY)
    assert "other labels; training goes on from v1" in caplog.text
    current = store.versions.current(KEY)
    assert current is not None
    assert current.labels == labels
    tagger = checkpoint.load(settings.paths.checkpoints / current.folder, space=shop.SPACE)
    (answer,) = tagger.predict([SHOP.item(50)[0]])
    assert set(answer.probabilities) == set(labels)


def state_of(store: Store, key: str) -> dict[str, Any]:
    return {
        "project": store.projects.get(key),
        "versions": store.versions.list(key),
        "current": store.versions.current(key),
        "annotations": store.annotations.of_project(key),
    }


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_two_projects_are_trained_apart(store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.open_shop(store, settings, tasks=60)
    shop.annotate(store, range(1, 46))
    monkeypatch.setattr(shop, "KEY", OTHER)
    monkeypatch.setattr(shop, "CONFIG", label_config(FEWER))
    shop.open_shop(store, settings, tasks=60)
    shop.annotate(store, range(1, 46), wrong=True)

    untouched = state_of(store, str(OTHER))
    jobs.train(KEY)
    assert state_of(store, str(OTHER)) == untouched
    first = state_of(store, KEY)
    assert first["current"].labels == LABELS
    jobs.train(str(OTHER))
    assert state_of(store, KEY) == first
    second = store.versions.current(str(OTHER))
    assert second is not None
    assert second.labels == FEWER
    assert not {entry.folder for entry in first["versions"]} & {
        entry.folder for entry in store.versions.list(str(OTHER))
    }

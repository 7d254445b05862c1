"""Predictions of a version that a person removes from Label Studio."""

from pathlib import Path

import pytest

from store.fast_answers import SUFFIX
from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio.writable import BUSY, WritableLabelStudio
from tests.worker import label_studio
from tests.worker.label_studio import lease_of, publish_next
from worker.predictions.offer import due, offer
from worker.watch import NeverEnds
from worker.workplace import open_workplace


@pytest.fixture
def settings(tmp_path: Path, studio: WritableLabelStudio, valkey: str) -> Settings:
    return label_studio.settings_of(tmp_path, studio, redis_url=valkey, queue=tmp_path.name, reconcile_minutes=0)


def run(settings: Settings, studio: WritableLabelStudio, **changed: object) -> str:
    with open_workplace(settings.changed(**changed)) as workplace:
        project = workplace.store.projects.get(str(studio.key))
        assert project
        return offer(workplace, project, lease_of(workplace), NeverEnds(), lambda _: None)


def test_they_are_replaced_and_those_that_annotations_name_stay(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    key, bad = str(studio.key), publish_next(settings, store, studio)
    for task in studio.project.tasks:
        studio.store_prediction(task, bad + SUFFIX if task % 7 == 0 else bad)
    studio.store_prediction(5, "another backend")
    named = studio.project.tasks[1].predictions[0].id
    studio.submit(1, {"result": [], "parent_prediction": named})
    studio.annotate(2, [])
    served = publish_next(settings, store, studio)
    store.prediction_removals.ask(key, bad, "anna@shop.test")
    assert due(settings.versions, store) == [key]

    told = run(settings, studio, refresh_predictions=False)
    assert f"39 predictions of {bad} removed, 1 stay" in told
    assert studio.versions_of(1) == [bad]
    assert studio.versions_of(2) == [served], "of a labelled task, too"
    assert studio.versions_of(5) == [served, "another backend"]
    assert {name for task in range(6, 41) for name in studio.versions_of(task)} == {served}
    assert [change for change in studio.changed if change.startswith("DELETE")] == []
    removal = store.prediction_removals.all(key)[bad]
    assert (removal.removed, removal.kept, removal.person) == (39, 1, "anna@shop.test")
    assert removal.done_at > 0
    assert store.prediction_removals.due() == []


def test_what_cannot_be_replaced_yet_is_tried_again(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    key, bad = str(studio.key), publish_next(settings, store, studio)
    studio.project.tasks[3].data["image"] = BUSY
    for task in (3, 4):
        studio.store_prediction(task, bad)
    publish_next(settings, store, studio)
    store.prediction_removals.ask(key, bad, "anna@shop.test")
    run(settings, studio, refresh_predictions=False)
    removal = store.prediction_removals.all(key)[bad]
    assert (removal.removed, removal.done_at) == (1, 0)
    assert studio.versions_of(3) == [bad], "an editor may have it open, and nothing can be put in its place"
    assert store.prediction_removals.due() == []
    # An hour later no editor has it open any more.
    studio.project.tasks[3].predictions[0].created_at = "2026-01-01T00:00:00.000000Z"
    store.prediction_removals.progress(key, bad, removed=0, kept=0, again_s=0.0)
    run(settings, studio, refresh_predictions=False)
    assert studio.versions_of(3) == []
    assert store.prediction_removals.all(key)[bad].done_at > 0


def test_a_version_that_serves_again_keeps_its_predictions(
    settings: Settings, store: Store, studio: WritableLabelStudio
) -> None:
    key, first = str(studio.key), publish_next(settings, store, studio)
    studio.store_prediction(1, first)
    publish_next(settings, store, studio)
    store.prediction_removals.ask(key, first, "anna@shop.test")
    store.versions.override(key, first, "ben@shop.test")
    run(settings, studio)
    assert studio.versions_of(1) == [first]
    assert store.prediction_removals.all(key)[first].done_at > 0

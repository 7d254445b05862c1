from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import worker.corpus.gold
import worker.promotion.referee
import worker.training.run
import worker.workplace
from labelstudio.changes import change_of
from labelstudio.config import LabelConfig
from labelstudio.gold import read_gold
from model import checkpoint
from model.tagger import Tagger
from model.training.folds import Folds
from model.training.phases import CONTINUATION
from model.training.progressive import fit
from store.leases import lease_name
from store.projects import Project
from store.store import Store
from store.versions import NewVersion, State
from tagloom.operate import version_lines
from tagloom_base.settings import Settings
from testing.pictures import png
from testing.shop import LABELS
from tests.backend.parts import cold
from tests.labelstudio.references import ODD_REFERENCES
from tests.store import webhooks
from tests.worker import label_studio, shop
from worker import jobs
from worker.corpus.draw_seconds import DrawSeconds
from worker.training.run import RunState
from worker.watch import Interrupted

KEY = str(shop.KEY)


def serve(settings: Settings, store: Store, number: int) -> str:
    """A version that was made by hand becomes CURRENT; its name."""
    current = store.versions.current(KEY)
    lease = store.leases.acquire(lease_name("train", KEY), "test", 60)
    assert current
    assert lease
    assert store.versions.reserve(KEY) == number
    version, folder = f"v{number}.{number:04}", f"{KEY}/v{number}"
    tagger = replace(cold(LABELS, seed=number), space=shop.SPACE).named(version)
    checkpoint.save(tagger, settings.paths.checkpoints / folder, version=version, about=checkpoint.About(phase="test"))
    new = NewVersion(number, version, "", folder, "test", shop.SPACE, LABELS, {}, 0, 0, 0)
    store.versions.add(KEY, new, lease)
    store.versions.promote(KEY, number, lease, generation=current.generation)
    store.leases.release(lease)
    return version


@pytest.mark.usefixtures("here")
def test_a_training_that_an_operator_cut_off_begins_anew_from_the_chosen_version(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.open_shop(store, settings, tasks=12)
    chosen = shop.cold_start(settings, store).version
    left = serve(settings, store, 1)
    shop.annotate(store, range(1, 9))
    begun: list[tuple[str, bool]] = []

    def noting(parent: Tagger, *given: Any, **options: Any) -> Tagger:
        begun.append((parent.version, options["resume"].exists()))
        return fit(parent, *given, **options)

    def cut_off(progress: Mapping[str, Any]) -> None:
        if progress.get("epoch", 0) >= 2:
            if len(begun) == 2:
                store.versions.override(KEY, chosen)
            raise Interrupted("cut off")

    monkeypatch.setattr(worker.training.run, "fit", noting)
    monkeypatch.setattr(jobs, "_report", cut_off)
    for _ in range(3):
        assert jobs.train(KEY).startswith("ended early: ")
    assert begun == [(left, False), (left, True), (chosen, False)]


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("stage", ["judging", "looking for doubtful gold"])
def test_a_training_that_ended_after_its_last_epoch_repeats_no_epoch_and_publishes_once(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    shop.open_shop(store, settings, tasks=12)
    shop.annotate(store, range(1, 9))
    seen: list[Mapping[str, Any]] = []

    def cut_off(progress: Mapping[str, Any]) -> None:
        seen.append(progress)
        if progress["stage"] == stage and [one["stage"] for one in seen].count(stage) == 1:
            raise Interrupted("cut off")

    monkeypatch.setattr(jobs, "_report", cut_off)
    assert jobs.train(KEY).startswith("ended early: ")
    before = seen.copy()
    assert not jobs.train(KEY).startswith("ended early: ")
    assert stage in {progress["stage"] for progress in seen[len(before) :]}
    assert any("epoch" in progress for progress in before)
    assert not any("epoch" in progress for progress in seen[len(before) :])
    assert [entry.number for entry in store.versions.list(KEY)] == [1, 0]
    project = store.projects.get(KEY)
    assert project
    assert not project.has_new_gold
    assert not list((settings.paths.home / "runs").rglob("*.*"))


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_what_follows_a_cold_start_for_other_labels_serves_at_once_and_what_follows_that_waits(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGLOOM_PROMOTION_SECONDS", "60")
    monkeypatch.setattr(DrawSeconds, "of", lambda *_: DrawSeconds(7.0, 33))
    shop.open_shop(store, settings, tasks=60)
    shop.cold_start(settings, store, ["主体"])
    shop.annotate(store, range(1, 31))
    assert "promoted v2." in jobs.train(KEY)
    shop.annotate(store, range(31, 51))
    assert "promoted nothing" in jobs.train(KEY)
    newest = store.versions.list(KEY)[0]
    assert (newest.number, newest.state) == (3, State.ACCEPTED), newest.reason
    assert newest.metrics["draw_seconds"] == {"seconds": 7.0, "annotations": 33}
    box_model = checkpoint.load(settings.paths.checkpoints / newest.folder).box_model
    assert box_model is not None
    assert box_model.draw_seconds == 7.0


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_another_lexicon_is_taken_up_by_the_next_training_which_goes_on_from_what_was_learned(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop.open_shop(store, settings, tasks=60)
    shop.annotate(store, range(1, 46))
    jobs.train(KEY)
    served = store.versions.current(KEY)
    assert served
    file = tmp_path / "lexicon.toml"
    file.write_text('[[kinds.gift.cues]]\nname = "house words"\npattern = "随单礼"\nweight = 4.0\n', encoding="utf-8")
    monkeypatch.setenv("TAGLOOM_LEXICON", str(file))
    epochs: list[Mapping[str, Any]] = []
    monkeypatch.setattr(jobs, "_report", epochs.append)
    judged: list[Tagger] = []

    made = Folds.of

    def noting(parent: Tagger, *given: Any, **options: Any) -> Folds:
        judged.append(parent)
        return made(parent, *given, **options)

    monkeypatch.setattr(Folds, "of", noting)
    store.projects.request_training(KEY)
    jobs.train(KEY)
    newest = store.versions.list(KEY)[0]
    assert newest.parent == served.version
    tagger = checkpoint.load(settings.paths.checkpoints / newest.folder)
    assert "赠品: house words" in tagger.sources.cues.names
    assert [parent.sources.cues.names for parent in judged] == [tagger.sources.cues.names]  # its own recipe is judged
    assert max(told["epochs"] for told in epochs if "epochs" in told) == sum(phase.epochs for phase in CONTINUATION)


def test_what_an_older_revisions_training_still_saves_is_not_gone_on_from(tmp_path: Path) -> None:
    def of(revision: int) -> RunState:
        return RunState.of(tmp_path, Project(KEY, "", "", revision, 0, "", 0, 0.0, 0.0))

    older, newer = of(3), of(4)
    older.file.write_bytes(b"late")
    assert not newer.file.exists()
    newer.file.write_bytes(b"state")
    assert of(4).file.read_bytes() == b"state"
    assert not older.file.exists()


def test_what_processes_that_trained_together_left_when_they_were_killed_is_dropped(tmp_path: Path) -> None:
    project = Project(KEY, "", "", 4, 0, "", 0, 0.0, 0.0)
    own = RunState.of(tmp_path, project).file.parent
    for left in ("together-4k2", "3.together"):
        (own / left / "parent").mkdir(parents=True)
        (own / left / "order.json").touch()
    RunState.of(tmp_path, project)
    assert list(own.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_gold_with_odd_pictures_dates_or_annotations_does_not_stop_the_training(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGLOOM_IMAGE_HOSTS", "*.example.com")
    shop.open_shop(store, settings, tasks=60)
    shop.annotate(store, range(1, 46))
    for number, place in enumerate(ODD_REFERENCES, 100):
        entry = webhooks.annotation(number, number, 0, updated_at="9999-12-31T23:59:59-14:00")
        body = {"action": "ANNOTATION_CREATED", "annotation": entry, "project": {}}
        body["task"] = {"id": number, "data": {"image": place}, "updated_at": "0001-01-01T00:00:00+14:00"}
        store.journal.record(change_of(KEY, body), timeout=10)

    def choosy(config: LabelConfig, annotations: Any, version_of: Any) -> Any:
        if annotations[0]["id"] == 45:
            raise IndexError("an annotation that nobody has thought of")
        return read_gold(config, annotations, version_of)

    monkeypatch.setattr(worker.corpus.gold, "read_gold", choosy)
    assert "promoted v1." in jobs.train(KEY)
    assert "tasks encoded" in jobs.encode(KEY)
    project = store.projects.get(KEY)
    assert project
    assert not project.has_new_gold


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_gold_without_pictures_is_told_and_trained_on_once_they_can_be_read(
    store: Store,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moved: Callable[[float], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A worker without the setting of its backend must not say that all is well."""
    monkeypatch.setattr(worker.workplace, "open_extractor", label_studio.Encoders)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "std.png").write_bytes(png())
    store.projects.ensure(KEY, shop.CONFIG)
    for number in range(1, 13):
        data = {"image": f"file://{tmp_path}/shop/std.png", "sku": str(number)}
        entry = webhooks.annotation(number, number, 1, ("LOGO",) if number % 2 else ("价格",))
        entry["result"][0]["from_name"] = "elements"
        task = {"id": number, "data": data, "updated_at": webhooks.stamp(0)}
        body = {"action": "ANNOTATION_CREATED", "annotation": entry, "task": task, "project": {}}
        store.journal.record(change_of(KEY, body), timeout=10)

    assert "the pictures of 12 cannot be read" in jobs.train(KEY)
    project = store.projects.get(KEY)
    assert project
    assert not project.has_new_gold
    assert project.unread_gold == 12
    assert "12 tasks with gold, but without picture" in project.failure
    assert "TAGLOOM_IMAGE_ROOTS" in caplog.text
    lines = "\n".join(version_lines(store, project))
    assert "12 tasks without picture" in lines
    assert "TAGLOOM_IMAGE_ROOTS" in lines
    assert "left out 12 tasks with gold" in lines

    jobs.encode(KEY)
    assert KEY not in store.projects.waiting_for_training(), "nothing has changed"
    monkeypatch.setenv("TAGLOOM_IMAGE_ROOTS", str(tmp_path / "shop"))
    moved(601)
    assert store.pictures.due() == [KEY], "the timer has it tried again"
    jobs.encode(KEY)
    assert store.projects.waiting_for_training() == [KEY]
    assert jobs.train(KEY).startswith("12 gold labels; promoted v")
    project = store.projects.get(KEY)
    assert project
    assert (project.unread_gold, project.failure) == (0, "")
    assert "picture" not in "\n".join(version_lines(store, project))

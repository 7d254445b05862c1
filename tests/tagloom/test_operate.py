"""Operators' commands that need encoders and Label Studio: on a project whose features are there already."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import worker.workplace
from labelstudio.changes import tasks_of
from labelstudio.columns import NAMES
from model.features.item import ItemFeatures
from model.items import Gold
from store.doubts import Doubt
from store.store import Store
from tagloom.cli import main
from tagloom_base.settings import Settings
from testing.label_studio.payloads import Task
from testing.shop import LABELS, SHOP
from tests.worker import label_studio, shop
from worker import jobs
from worker.predictions.kept import keep
from worker.watch import NeverEnds


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(worker.workplace, "open_extractor", shop.StubExtractor)
    for name, value in {"TAGLOOM_HOME": str(tmp_path), "TAGLOOM_TRAINING_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TAGLOOM_DATABASE_URL", raising=False)
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://studio.test")
    opened = Store.open(Settings().paths.database)
    yield opened
    opened.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_doubtful_gold_is_listed_with_where_to_look_at_it(store: Store) -> None:
    shop.open_shop(store, Settings(), tasks=8)
    key, lease = str(shop.KEY), store.leases.acquire("train:x", "test", ttl=60)
    assert lease
    found = [Doubt(7, LABELS[0], given=True, probability=0.1, gold="a"), Doubt(3, LABELS[1], False, 0.8, "b")]
    store.doubts.replace(key, [*found, Doubt(5, LABELS[0], given=True, probability=0.0, gold="c")], lease)
    store.doubts.dismiss(key, 5, LABELS[0], "anna@shop.test")
    result = run("doubtful")
    assert result.exit_code == 0, result.output
    heading, *rows, last = result.stdout.splitlines()
    assert heading.split()[:2] == ["task", "label"]
    assert [row.split()[0] for row in rows] == ["7", "3"], "the strongest first, without the dismissed one"
    assert all(row.endswith(f"http://studio.test/projects/2/data?task={row.split()[0]}") for row in rows)
    assert "Nothing is changed" in last
    told = json.loads(run("doubtful", "--most", "1", "--json").stdout)
    assert set(told) == {"project", "doubtful", "found"}
    assert (told["found"], len(told["doubtful"])) == (2, 1)
    assert set(told["doubtful"][0]) == {"task", "label", "gold", "probability", "address"}


@pytest.mark.slow
def test_versions_tell_what_was_learned_and_what_could_not_be(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "open_workplace", lambda: worker.workplace.open_workplace(Settings()))
    shop.open_shop(store, Settings(), tasks=12)
    shop.annotate(store, range(1, 9), make=without_gifts)
    jobs.train(str(shop.KEY))
    lines = run("versions").stdout.splitlines()
    table = lines[lines.index("") + 1 :]
    assert table[0].split()[1:] == ["sources", "right", "on", "gold", *LABELS]
    sources = [row for row in table[1:] if "cannot" not in row]
    assert {"nearest gold", "industry prior", "boxes"} < {row[:20].strip() for row in sources}
    (boxes,) = (row for row in sources if row.startswith("boxes"))
    assert all(0 < float(share) < 1 for share in boxes.split()[1:])
    assert len(boxes.split()) == 1 + len(LABELS)
    (brand,) = (row for row in sources if row.startswith("LOGO: brand at the top"))
    assert 0 < float(brand.removeprefix("LOGO: brand at the top")) < 1
    assert any(row.startswith("赠品 cannot be learned yet: none of ") for row in table)


def without_gifts(number: int) -> tuple[ItemFeatures, Gold]:
    features, said = SHOP.item(number)
    return features, Gold((said.labels or frozenset()) - {"赠品"})


def test_without_gold_nothing_is_doubtful(store: Store) -> None:
    shop.open_shop(store, Settings(), tasks=2)
    assert "no gold that" in run("doubtful").stdout


def test_an_unusable_config_is_one_line(store: Store) -> None:
    store.projects.ensure(str(shop.KEY), "<View/>")
    result = run("predict")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2, "where it looked, and the sentence"


def test_predict_writes_what_is_missing_and_says_how_far_it_is(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", label_studio.Encoders)
    with label_studio.opened(tmp_path, tasks=3) as studio:
        monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.token)
        version = label_studio.publish_next(Settings(), store, studio)
        studio.store_prediction(2, version)
        result = run("predict")
        assert result.exit_code == 0, result.output
        assert result.stderr.splitlines()[-1] == "predictions: 2 of 2 tasks"
        assert result.stdout.startswith(f"{version}: 2 predictions written")
        assert studio.versions_of(3) == [version]
        told = json.loads(run("predict", "--json").stdout)
        assert set(told) == {
            "project", "version", "generation", "tasks", "written", "unread", "deleted", "repaired", "pictures",
        }  # fmt: skip
        assert (told["version"], told["written"]) == (version, 0)
    away = run("predict")
    assert away.exit_code == 1
    assert away.stderr.splitlines()[-1].startswith("tagloom: Label Studio at")


def test_columns_are_written_once_answers_are_kept_and_can_be_taken_away(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", label_studio.Encoders)
    with label_studio.opened(tmp_path, tasks=3) as studio:
        monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.token)
        label_studio.publish_next(Settings(), store, studio)
        store.tasks.upsert(str(studio.key), tasks_of([task.in_webhook() for task in studio.project.tasks.values()]))
        early = run("columns")
        assert early.exit_code == 1
        assert "no answer of the version" in early.stderr
        run("predict")
        with worker.workplace.open_workplace(Settings()) as place:
            (project,) = store.projects.all()
            keep(place, project, label_studio.lease_of(place), NeverEnds(), lambda _: None)
        told = json.loads(run("columns", "--json").stdout)
        assert (told["tasks"], told["values"]) == (3, sum(len(names(task)) for task in studio.project.tasks.values()))
        monkeypatch.setenv("TAGLOOM_COLUMNS", "true")
        assert "set it to false" in run("columns", "--remove").stderr
        monkeypatch.setenv("TAGLOOM_COLUMNS", "false")
        assert run("columns", "--remove").exit_code == 0
        assert not any(names(task) for task in studio.project.tasks.values())


def names(task: Task) -> set[str]:
    """The columns that a task has."""
    return set(task.data) & set(NAMES)


def test_predict_tries_pictures_again_and_says_why_some_are_missing(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.workplace, "open_extractor", label_studio.Encoders)
    with label_studio.opened(tmp_path, tasks=3) as studio:
        monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.token)
        for task in studio.project.tasks.values():
            task.data["image"] = f"file://{tmp_path}/picture.png"
        version = label_studio.publish_next(Settings(), store, studio)
        store.tasks.upsert(str(studio.key), tasks_of([task.in_webhook() for task in studio.project.tasks.values()]))
        first = run("predict")
        assert first.stdout.startswith(f"{version}: 3 predictions written for 3 tasks")
        assert "3 tasks without picture: " in first.stdout
        assert "TAGLOOM_IMAGE_ROOTS" in first.stdout
        monkeypatch.setenv("TAGLOOM_IMAGE_ROOTS", str(tmp_path))
        again = run("predict")
        assert again.stdout.rstrip().endswith("3 rewritten that had been made without their picture")
        assert all(prices(task) for task in studio.project.tasks.values())


def prices(task: Task) -> list[dict[str, Any]]:
    """The regions of a task's only prediction that give it a price, which is read in the picture."""
    (prediction,) = task.predictions
    return [region for region in prediction.result if "价格" in region["value"].get("choices", [])]

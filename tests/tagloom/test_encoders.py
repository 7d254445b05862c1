"""`tagloom encoders`: what a home uses, what a change costs, and that nothing else changes it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from model import items
from store.processes import BACKEND, WORKER
from store.store import Store
from tagloom.cli import main
from tagloom.encoders import home_settings
from tagloom_base.settings import Settings
from tests.model.encoders.folders import bert_folder
from tests.sleeping import noted_backend
from tests.worker import shop

KEY = str(shop.KEY)


class Reading:
    """In place of the real extractor, whose loading takes seconds: it says which encoders it was asked for."""

    def __init__(self, encoders: object) -> None:
        self._encoders = encoders

    def describe(self) -> dict[str, str]:
        return {"asked for": str(self._encoders)}

    def extract(self, wanted: list[items.Item]) -> list[None]:
        assert all(item.image for item in wanted)
        return [None] * len(wanted)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TAGLOOM_DATABASE_URL", "TAGLOOM_IMAGE_ENCODER", "TAGLOOM_TEXT_ENCODER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("model.features.extraction.open_extractor", Reading)


@pytest.fixture
def store() -> Iterator[Store]:
    """A home with one project, whose encoders were chosen."""
    opened = Store.open(Settings().paths.database)
    opened.encoders.keep({"image": "efficientnet-lite0", "text": "shipped"})
    shop.open_shop(opened, Settings(), tasks=12)
    shop.cold_start(Settings(), opened)
    yield opened
    opened.close()


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["encoders", *arguments], input=answer)


def test_a_home_without_a_database_shows_what_it_would_choose() -> None:
    shown = run()
    assert shown.exit_code == 0, shown.output
    assert "image: efficientnet-lite0 (chosen when the backend first starts)" in shown.output
    assert "torchvision:resnet50, ResNet50 of torchvision (98 MB, trained on photographs): not here" in shown.output
    assert not Settings().paths.home.exists()


def test_what_is_kept_and_what_a_variable_names_is_told_apart(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.encoders.replace({"image": "shipped"})
    monkeypatch.setenv("TAGLOOM_TEXT_ENCODER", "ngrams")
    shown = run().output
    assert "image: shipped (kept in its database)" in shown
    assert "text: ngrams (set by TAGLOOM_TEXT_ENCODER)" in shown
    assert "better: instead of shipped, EfficientNet-Lite0" in shown
    assert "`tagloom encoders use efficientnet-lite0`" in shown
    chosen = home_settings(Settings()).encoders
    assert (chosen.image_encoder, chosen.text_encoder) == ("shipped", "ngrams")


def test_a_joint_encoder_is_shown_and_fetched_by_its_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "joint: none: words find what was read" in run().output
    monkeypatch.setenv("TAGLOOM_JOINT_ENCODER", "some/clip")
    assert "joint: some/clip (set by TAGLOOM_JOINT_ENCODER)" in run().output
    fetched = run("fetch", "joint:some/clip")
    assert fetched.exit_code == 1
    assert "some/clip can't be downloaded" in fetched.output


def test_the_costs_are_said_before_it_is_asked_and_no_changes_nothing(store: Store) -> None:
    told = run("use", "shipped", answer="n\n")
    assert told.exit_code == 1
    before, asked, _ = told.output.partition("Change the encoders? [y/N]")
    assert asked
    assert "image_encoder='shipped' text_encoder='shipped'" in before
    assert re.search(r"12 pictures are read and encoded anew: \d+\.\d\d s each, measured here just now", before)
    assert "0 of 1 projects go back to their cold start" in before
    assert store.encoders.kept()["image"] == "efficientnet-lite0"
    assert run("use", "shipped").exit_code == 1, "nobody answered"
    assert store.encoders.kept()["image"] == "efficientnet-lite0"
    assert not store.projects.waiting_for_training()


def test_a_change_is_kept_and_has_everything_encoded_and_trained_anew(store: Store) -> None:
    store.processes.note("w", WORKER, {"TAGLOOM_IMAGE_ENCODER": "efficientnet-lite0"})
    store.processes.note("b", BACKEND, {})
    assert store.projects.waiting_for_training() == []
    done = run("use", "shipped", "ngrams", "--yes")
    assert done.exit_code == 0, done.output
    assert store.encoders.kept() == {"image": "shipped", "text": "ngrams"}
    assert store.projects.waiting_for_reconcile(0) == [KEY]
    assert store.projects.waiting_for_training() == [KEY]
    assert store.processes.of_role(WORKER) == [], "what it noted is no longer so"
    assert store.processes.of_role(BACKEND)
    assert "uses them already" in run("use", "shipped", "--yes").output
    uses = {"image": "shipped", "text": "ngrams"}
    assert json.loads(run("use", "shipped", "--json").stdout) == {"changed": False, "uses": uses}
    told = json.loads(run("use", "efficientnet-lite0", "--yes", "--json").stdout)
    assert (told["changed"], set(told)) == (True, {"changed", "uses", "costs"})


def test_a_folder_is_kept_with_its_whole_path(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bert_folder(tmp_path / "bert")
    assert run("use", "efficientnet-lite0", "bert", "--yes").exit_code == 0
    assert store.encoders.kept()["text"] == str(tmp_path / "bert")
    (tmp_path / "w.safetensors").touch()
    assert run("use", "torchvision:resnet18@w.safetensors", "--yes").exit_code == 0
    assert store.encoders.kept()["image"] == f"torchvision:resnet18@{tmp_path}/w.safetensors"


def test_an_encoder_that_cannot_be_loaded_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("TAGLOOM_HOME", str(Path(str(store._database.engine.url.database)).parent))
    refused = run("use", "torchvision:resnet9000", "--yes")
    assert refused.exit_code == 1
    assert "tagloom: torchvision has no classification model 'resnet9000'" in refused.output
    assert store.encoders.kept()["image"] == "efficientnet-lite0"


@pytest.mark.usefixtures("store")
def test_a_variable_would_win_so_the_change_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_IMAGE_ENCODER", "shipped")
    assert "TAGLOOM_IMAGE_ENCODER names an encoder, which wins" in run("use", "shipped", "--yes").output
    with noted_backend(Settings().paths.home):
        monkeypatch.delenv("TAGLOOM_IMAGE_ENCODER")
        refused = run("use", "shipped", "--yes")
    assert "TAGLOOM_IMAGE_ENCODER names an encoder, which wins" in refused.output


def test_fetching_tells_of_each_that_fails_and_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    failed = run("fetch")
    assert failed.exit_code == 1
    assert "torchvision:resnet50 can't be downloaded (no route to host)" in failed.output
    assert "bert-base-chinese can't be downloaded" in failed.output
    assert run("fetch", "ngrams").output == "ngrams is on this machine\n"
    assert json.loads(run("fetch", "ngrams", "--json").stdout) == {"here": ["ngrams"]}
    assert store.encoders.kept() == {"image": "efficientnet-lite0", "text": "shipped"}


@pytest.mark.slow
def test_the_measured_time_is_that_of_reading_and_encoding(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("TAGLOOM_HOME", str(Path(str(store._database.engine.url.database)).parent))
    told = run("use", "shipped", answer="n\n").output
    each = re.search(r"anew: (\d+\.\d\d) s each", told)
    assert each, told
    assert float(each[1]) >= 0.05

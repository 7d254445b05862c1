"""`tagloom train-encoders` on a handful of drawn pictures, with the real reader and the encoders of a new home."""

import json
import re
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model.encoders.catalogue import image_encoder, text_encoder
from model.evaluation.corpus import LabelledCorpus, families_at, split
from model.features.extraction import FeatureExtractor
from tagloom.cli import main
from tagloom.train_encoders import Plan, gold_rows
from testing.dataset import folder_of
from testing.shop import LABELS, SMALL

SAMPLES = Path("samples/data")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["train-encoders", *map(str, arguments)])


def handful(folder: Path, rows: int) -> Path:
    """The first drawn pictures of several products."""
    header, *lines = (SAMPLES / "items.csv").read_text("utf-8").splitlines()
    kept = list(islice(lines, 0, 40 * rows, 40))
    (folder / "items.csv").write_text("\n".join([header, *kept]) + "\n", "utf-8")
    column = header.split(",").index("image")
    for line in kept:
        picture = line.split(",")[column]
        (folder / picture).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / picture, folder / picture)
    return folder


@pytest.mark.slow
def test_both_encoders_are_trained_written_and_loaded_by_the_printed_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGLOOM_HOME", str(tmp_path / "home"))
    out = tmp_path / "out"
    told = run("--data", handful(tmp_path, 10), "--out", out, "--image", "--text", "--epochs", "1")
    assert told.exit_code == 0, told.output
    assert "gold: 10 of 10 pictures" in told.output
    settings = dict(re.findall(r"^(TAGLOOM_\w+)=(.+)$", told.output, re.MULTILINE))
    assert list(settings) == ["TAGLOOM_IMAGE_ENCODER", "TAGLOOM_TEXT_ENCODER"]
    old = FeatureExtractor.from_names("efficientnet-lite0", "shipped")
    new = FeatureExtractor.from_names(*settings.values())
    assert new.space != old.space
    assert image_encoder("efficientnet-lite0").fingerprint not in settings["TAGLOOM_IMAGE_ENCODER"]
    assert text_encoder("shipped").fingerprint not in settings["TAGLOOM_TEXT_ENCODER"]
    assert len(list((out / "features" / old.space).rglob("*.safetensors"))) == 10
    again = run("--data", tmp_path, "--out", out, "--image", "--text", "--epochs", "1", "--json")
    assert json.loads(again.stdout) == {"settings": settings}
    assert len([path for path in out.iterdir() if path.name != "features"]) == 2


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ([], {}, "say which encoder to train: --image, --text"),
        (["--text"], {"TAGLOOM_TEXT_ENCODER": "ngrams"}, "TAGLOOM_TEXT_ENCODER=ngrams has nothing to train"),
        (["--image"], {"TAGLOOM_IMAGE_ENCODER": "torchvision:resnet18@/nowhere.safetensors"}, "is no file"),
        (["--text"], {"TAGLOOM_TEXT_ENCODER": "EMPTY"}, "holds no transformers model"),
        (["--image", "--data", "EMPTY"], {}, "items.csv is not there"),
        (["--image", "--out", "FILE"], {}, "cannot be written"),
    ],
)
def test_what_cannot_be_trained_is_told_in_one_line(
    arguments: list[str], variables: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("empty", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    places = {"EMPTY": str(tmp_path / "empty"), "FILE": str(tmp_path / "file")}
    for name, value in variables.items():
        monkeypatch.setenv(name, places.get(value, value))
    usual = ["--data", str(folder_of(tmp_path / "data", 6)), "--out", str(tmp_path / "out")]
    told = run(*usual, *(places.get(word, word) for word in arguments))
    assert told.exit_code == (1 if arguments else 2)
    assert words in told.output
    assert told.output.startswith("tagloom: ")


def test_without_any_label_it_says_so(tmp_path: Path) -> None:
    header, *rows = (folder_of(tmp_path, 6) / "items.csv").read_text("utf-8").splitlines()
    bare = [re.sub(",(un)?labelled,.*", ",unlabelled,", row) for row in rows]
    (tmp_path / "items.csv").write_text("\n".join([header, *bare]) + "\n", "utf-8")
    told = run("--data", tmp_path, "--out", tmp_path / "out", "--text")
    assert told.exit_code == 1
    assert "has no labelled pictures: label some" in told.output


def test_a_share_is_the_draw_that_an_evaluation_makes_with_the_same_seed() -> None:
    items, gold, families = SMALL.pool(20)
    known = tuple(gold[row].labels if row < 16 else None for row in range(20))
    corpus = LabelledCorpus(LABELS, tuple(items), known, tuple(families))
    plan = Plan(Path("data"), Path("out"), True, False, gold=0.5, seed=1)
    assert gold_rows(corpus, plan) == split(corpus, families=families_at(corpus, 0.5), seed=1).gold
    assert gold_rows(corpus, replace(plan, gold=1.0)) == tuple(range(16))


def test_its_options_stand_in_the_help() -> None:
    told = CliRunner().invoke(main, ["train-encoders", "--help"]).output
    for option in ("--data", "--image", "--text", "--epochs", "--gold", "--seed"):
        assert option in told

"""Encoders of pictures and texts: each kind is loaded from a folder, and used as the library uses it."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from model.encoders.joint import JointEncoder, open_joint, require
from tagloom_base.groups import EncoderSettings
from tests.model.encoders.folders import bert_folder
from tests.model.encoders.joint_folders import MODELS, SIZE, joint_folder


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(joint_folder("clip", tmp_path_factory.mktemp("clip")))


def pictures() -> list[Image.Image]:
    return [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue", "white")]


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_gives_vectors_of_unit_length_in_one_space(kind: str, tmp_path: Path) -> None:
    joint = JointEncoder(joint_folder(kind, tmp_path / kind))
    seen_NJ, said_NJ = joint.pictures(pictures()), joint.texts(["红色裙", "蓝色杯"])
    assert seen_NJ.shape == (3, joint.width)
    assert said_NJ.shape == (2, joint.width)
    assert torch.allclose(seen_NJ.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(said_NJ.norm(dim=1), torch.ones(2), atol=1e-5)
    assert (seen_NJ @ seen_NJ.T).fill_diagonal_(0).max() < 0.9999, "other pictures have other vectors"
    assert float(said_NJ[0] @ said_NJ[1]) < 0.9999, "other texts have other vectors"
    assert joint.describe().startswith({"clip": "CLIP", "chinese_clip": "Chinese-CLIP", "siglip": "SigLIP"}[kind])


@pytest.mark.parametrize("kind", MODELS)
def test_vectors_are_those_of_the_library_and_do_not_depend_on_others(kind: str, tmp_path: Path) -> None:
    folder = joint_folder(kind, tmp_path / kind)
    joint, model = JointEncoder(folder), AutoModel.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(
        ["红色裙"], padding="max_length" if kind == "siglip" else False, max_length=20, return_tensors="pt"
    )
    pixels = (torch.tensor([1.0, 0, 0]) - 0.5).div(0.5).view(1, 3, 1, 1).expand(1, 3, SIZE, SIZE)
    with torch.inference_mode():
        said = model.get_text_features(**inputs).pooler_output[0]
        seen = model.get_image_features(pixel_values=pixels).pooler_output[0]
    assert torch.cosine_similarity(said, joint.texts(["红色裙", "蓝色的裙和灯和灯"])[0], dim=0) > 0.999
    assert torch.cosine_similarity(seen, joint.pictures(pictures())[0], dim=0) > 0.999


def test_long_texts_and_long_pictures_are_taken(clip: Path) -> None:
    joint = JointEncoder(str(clip))
    assert joint.texts(["裙" * 500, ""]).isfinite().all()
    page = Image.new("RGB", (40, 400), "red")
    page.paste("blue", (0, 200, 40, 400))
    seen_NJ = joint.pictures([page, *pictures()[:2]])
    halves_J = torch.nn.functional.normalize((seen_NJ[1] + seen_NJ[2]) / 2, dim=0)
    assert float(seen_NJ[0] @ halves_J) > 0.999
    assert joint.pictures([]).shape == (0, joint.width)


def test_a_fingerprint_is_that_of_weights_and_preparation(clip: Path, tmp_path: Path) -> None:
    one = JointEncoder(str(clip))
    assert JointEncoder(str(clip)).fingerprint == one.fingerprint
    assert JointEncoder(joint_folder("clip", tmp_path / "other", seed=1)).fingerprint != one.fingerprint
    other = tmp_path / "prepared"
    shutil.copytree(clip, other)
    facts = json.loads((other / "preprocessor_config.json").read_text())
    (other / "preprocessor_config.json").write_text(json.dumps({**facts, "image_mean": [0.4, 0.4, 0.4]}))
    assert JointEncoder(str(other)).fingerprint != one.fingerprint


def test_settings_name_it_or_none(clip: Path) -> None:
    assert open_joint(EncoderSettings(joint_encoder="")) is None
    joint = open_joint(EncoderSettings(joint_encoder=str(clip)))
    assert joint is not None
    assert joint.width == 16


def test_what_is_missing_is_named(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`tagloom encoders fetch joint:no/such` gets it"):
        require("no/such")
    bert = bert_folder(tmp_path / "bert")
    with pytest.raises(ValueError, match="of the kind 'bert', not clip, chinese_clip, siglip"):
        JointEncoder(bert)
    for file in ("tokenizer.json", "preprocessor_config.json", "model.safetensors", "config.json"):
        spoilt = tmp_path / f"without {file}"
        shutil.copytree(clip, spoilt)
        (spoilt / file).unlink()
        with pytest.raises(ValueError, match=r"or take TAGLOOM_JOINT_ENCODER away|gets it from the hub"):
            JointEncoder(str(spoilt))


def test_incomplete_weights_and_other_words_are_refused(clip: Path, tmp_path: Path) -> None:
    lacking, wordy = tmp_path / "lacking", tmp_path / "wordy"
    shutil.copytree(clip, lacking)
    state = load_file(lacking / "model.safetensors")
    state.pop("text_projection.weight")
    save_file(state, lacking / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lack 1 tensors of CLIPModel, such as text_projection.weight"):
        JointEncoder(str(lacking))
    shutil.copytree(clip, wordy)
    facts = json.loads((wordy / "tokenizer.json").read_text())
    facts["model"]["vocab"] |= {f"word{number}": 100 + number for number in range(9)}
    (wordy / "tokenizer.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"its tokenizer has \d+ words, its model 23"):
        JointEncoder(str(wordy))

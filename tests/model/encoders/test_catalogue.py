"""Encoders that were trained further: written, and loaded by the name that writing gave."""

from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision import models

from model.encoders.catalogue import image_encoder, save_image_encoder, save_text_encoder, text_encoder
from model.encoders.grid import GridEncoder
from model.encoders.transformer_text import TransformerTextEncoder
from tests.model.encoders.folders import bert_folder, shaken

PICTURE = [Image.new("RGB", (50, 70), (200, 30, 60))]


def trained(start: str) -> GridEncoder:
    encoder = image_encoder(start)
    return encoder.with_network(shaken(encoder.network), "trained")


def start_of(library: str, folder: Path) -> str:
    file = folder / "start.safetensors"
    if library == "torchvision":
        save_file(models.squeezenet1_1(weights=None).state_dict(), file)
        return f"torchvision:squeezenet1_1@{file}"
    if library.startswith("timm"):
        name = library.removeprefix("timm ")
        save_file(timm.create_model(name, pretrained=False).state_dict(), file)
        return f"timm:{name}@{file}"
    return library


@pytest.mark.parametrize(
    "library",
    ["shipped", "torchvision", "timm convnext_atto", "timm vit_tiny_patch16_224"],
)
def test_a_trained_picture_encoder_loads_by_its_name_and_sees_the_same(library: str, tmp_path: Path) -> None:
    start = start_of(library, tmp_path)
    encoder = trained(start)
    name = save_image_encoder(encoder, start, tmp_path / "out")
    loaded = image_encoder(name)
    assert loaded.fingerprint == encoder.fingerprint != image_encoder(start).fingerprint
    assert torch.equal(loaded.encode(PICTURE)[0], encoder.encode(PICTURE)[0])
    assert not torch.equal(loaded.encode(PICTURE)[0], image_encoder(start).encode(PICTURE)[0])
    (file,) = (tmp_path / "out").iterdir()
    assert name == f"{start.partition('@')[0]}@{file}"
    assert encoder.fingerprint in file.name
    assert file.name in loaded.describe()


def test_efficientnet_lite0_becomes_a_file_of_timm_with_the_classifier_of_the_package(tmp_path: Path) -> None:
    encoder = trained("efficientnet-lite0")
    name = save_image_encoder(encoder, "efficientnet-lite0", tmp_path)
    assert name.startswith("timm:tf_efficientnet_lite0@")
    assert image_encoder(name).fingerprint == encoder.fingerprint
    whole = load_file(name.partition("@")[2])
    assert whole["classifier.weight"].shape == (1000, 1280)
    again = save_image_encoder(trained(name), name, tmp_path)
    assert image_encoder(again).fingerprint == trained(name).fingerprint


def test_the_classifier_is_kept_as_it_was(tmp_path: Path) -> None:
    start = start_of("torchvision", tmp_path)
    name = save_image_encoder(trained(start), start, tmp_path)
    before, after = load_file(start.partition("@")[2]), load_file(name.partition("@")[2])
    assert before.keys() == after.keys()
    assert torch.equal(before["classifier.1.weight"], after["classifier.1.weight"])
    assert not torch.equal(before["features.0.weight"], after["features.0.weight"])


def test_a_trained_encoder_can_be_trained_and_saved_again(tmp_path: Path) -> None:
    name = save_image_encoder(trained("shipped"), "shipped", tmp_path)
    again = save_image_encoder(trained(name), name, tmp_path)
    assert len({name, again}) == 2
    assert image_encoder(again).fingerprint == trained(name).fingerprint


def test_a_trained_text_encoder_loads_by_its_folder_and_reads_the_same(tmp_path: Path) -> None:
    start = TransformerTextEncoder(bert_folder(tmp_path / "bert", 16))
    encoder = start.with_network(shaken(start.network), "trained")
    name = save_text_encoder(encoder, tmp_path / "out")
    loaded = text_encoder(name)
    assert loaded.fingerprint == encoder.fingerprint != start.fingerprint
    said, heard, before = (one.encode(["买一送一 Nova"])[0].tokens_TE for one in (encoder, loaded, start))
    assert torch.equal(said, heard)
    assert not torch.equal(said, before)
    assert save_text_encoder(encoder, tmp_path / "out") == name
    assert [str(path) for path in (tmp_path / "out").iterdir()] == [name]


def test_the_shipped_text_encoder_can_be_saved(tmp_path: Path) -> None:
    shipped = text_encoder("shipped")
    assert isinstance(shipped, TransformerTextEncoder)
    assert text_encoder(save_text_encoder(shipped, tmp_path)).fingerprint == shipped.fingerprint


def test_a_disk_that_is_full_leaves_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object, **__: object) -> None:
        target = given[-1]
        assert isinstance(target, Path)
        (target / "half" if target.is_dir() else target).write_bytes(b"half of it")
        raise OSError("No space left on device")

    texts = text_encoder("shipped")
    assert isinstance(texts, TransformerTextEncoder)
    monkeypatch.setattr(TransformerTextEncoder, "save", full)
    monkeypatch.setattr("model.encoders.catalogue.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_text_encoder(texts, tmp_path)
    with pytest.raises(OSError, match="No space left"):
        save_image_encoder(image_encoder("shipped"), "shipped", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["shipped@/nowhere.safetensors", "shipped@FOREIGN", "shipped:x"])
def test_weights_that_are_not_of_the_shipped_encoder_are_refused(name: str, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match=r"no file|no weights of the shipped|names no picture encoder"):
        image_encoder(name.replace("FOREIGN", str(tmp_path / "foreign.safetensors")))

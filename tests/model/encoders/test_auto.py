"""Encoders are chosen by what lies on the machine, and only fetching asks a server."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

from model.encoders import auto, efficientnet_lite0, timm_grid
from model.encoders.catalogue import (
    fetch_image_encoder,
    fetch_text_encoder,
    image_encoder,
    require_text_encoder,
    text_encoder,
)
from tests.model.encoders.folders import bert_folder

BERT = "bert-base-chinese"


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches of torchvision and of the hub, and no server within reach."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "torch" / "checkpoints").mkdir(parents=True)
    return tmp_path


def cached_on_hub(caches: Path, name: str, make: Callable[[Path], object]) -> Path:
    """A model in the hub's cache, as the hub's library lays it there."""
    place = caches / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = place / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    make(snapshot)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0123")
    return snapshot


def resnet50(caches: Path) -> Path:
    file = caches / "torch" / "checkpoints" / "resnet50-11ad3fa6.pth"
    torch.save(models.resnet50(weights=None).state_dict(), file)
    return file


def test_a_machine_without_a_hub_has_the_encoder_that_pip_brings() -> None:
    assert (auto.best("image"), auto.best("text")) == ("efficientnet-lite0", "shipped")


def test_what_lies_in_the_caches_is_better_and_loads_from_there(caches: Path) -> None:
    resnet50(caches)
    cached_on_hub(caches, BERT, bert_folder)
    assert (auto.best("image"), auto.best("text")) == ("torchvision:resnet50", BERT)
    assert image_encoder(auto.best("image")).encode([Image.new("RGB", (9, 9))])[0].shape == (1, 49, 2048)
    encoder = text_encoder(auto.best("text"))
    assert encoder.width == 32
    assert BERT in encoder.describe()


@pytest.mark.parametrize("lacking", ["model.safetensors", "config.json"])
def test_a_model_that_is_only_half_in_the_cache_is_not_chosen(lacking: str, caches: Path) -> None:
    (cached_on_hub(caches, BERT, bert_folder) / lacking).unlink()
    assert auto.best("text") == "shipped"
    with pytest.raises(ValueError, match=r"hub's cache of bert-base-chinese holds no|is neither a folder nor"):
        text_encoder(BERT)


def test_without_the_package_the_shipped_encoder_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda _: None)
    assert auto.best("image") == "shipped"


def test_weights_of_timm_are_found_in_the_hubs_cache(caches: Path) -> None:
    network = timm.create_model("resnet10t", pretrained=False)
    record = timm.get_pretrained_cfg("resnet10t")
    assert record
    assert record.hf_hub_id
    with pytest.raises(ValueError, match="`tagloom encoders fetch timm:resnet10t` gets them"):
        image_encoder("timm:resnet10t")
    cached_on_hub(caches, record.hf_hub_id, lambda folder: save_file(network.state_dict(), folder / timm_grid.FILE))
    by_cache = image_encoder("timm:resnet10t")
    save_file(network.state_dict(), caches / "own.safetensors")
    assert by_cache.fingerprint == image_encoder(f"timm:resnet10t@{caches / 'own.safetensors'}").fingerprint
    assert "timm's weights" in by_cache.describe()


def test_a_broken_file_in_the_cache_is_told_and_no_other_encoder_is_taken(caches: Path) -> None:
    resnet50(caches).write_bytes(b"half of it")
    assert auto.best("image") == "torchvision:resnet50"
    with pytest.raises(ValueError, match=r"resnet50-11ad3fa6\.pth does not hold weights"):
        image_encoder(auto.best("image"))


def test_advice_names_better_encoders_what_they_give_and_the_commands(caches: Path) -> None:
    lines = auto.advice("shipped", "shipped")
    assert [line.split("`")[1] for line in lines] == [
        "tagloom encoders fetch torchvision:resnet50",
        "tagloom encoders use efficientnet-lite0",
        f"tagloom encoders fetch {BERT}",
    ]
    assert all(choice.gives for choices in auto.CHOICES.values() for choice in choices[:-1])
    resnet50(caches)
    assert "fetch" not in auto.advice("efficientnet-lite0", "shipped")[0]
    assert auto.advice("torchvision:resnet50", BERT) == []
    assert auto.advice("torchvision:swin_t", "ngrams") == [], "chosen on purpose"


def test_fetching_gets_what_is_missing_and_asks_nobody_for_what_is_here(
    caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = resnet50(caches).rename(caches / "at the server.pth")
    asked: list[str] = []

    def download(url: str, target: str, *_: object, **__: object) -> None:
        asked.append(url)
        shutil.copy(source, target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for _ in range(2):
        fetch_image_encoder("torchvision:resnet50")
    assert asked == ["https://download.pytorch.org/models/resnet50-11ad3fa6.pth"]
    assert auto.best("image") == "torchvision:resnet50"
    fetch_image_encoder("efficientnet-lite0")
    cached_on_hub(caches, BERT, bert_folder)
    fetch_text_encoder(BERT)


def test_a_download_that_fails_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host\nand more")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    for fetch, name in (
        (fetch_image_encoder, "torchvision:resnet50"),
        (fetch_image_encoder, "timm:resnet10t"),
        (fetch_image_encoder, "transformers:nobody/model"),
        (fetch_text_encoder, BERT),
    ):
        with pytest.raises(ValueError, match=f"^{name} can't be downloaded .*let this machine reach") as told:
            fetch(name)
        assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="names no picture encoder"):
        fetch_image_encoder("resnet50")
    with pytest.raises(ValueError, match="is neither a folder nor in the hub's cache"):
        require_text_encoder("/nowhere/at/all")

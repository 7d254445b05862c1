from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

from model.encoders.catalogue import image_encoder

PICTURE = [Image.new("RGB", (50, 70), (200, 30, 60))]


def _weights(name: str, folder: Path, suffix: str = ".safetensors") -> Path:
    state = models.get_model(name, weights=None).state_dict()
    path = folder / f"{name}{suffix}"
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize(
    ("name", "width", "side"),
    [("squeezenet1_1", 512, 13), ("resnet18", 512, 7), ("shufflenet_v2_x0_5", 1024, 7), ("mobilenet_v3_small", 576, 7)],
)
def test_a_model_is_cut_before_it_pools(name: str, width: int, side: int, tmp_path: Path) -> None:
    encoder = image_encoder(f"torchvision:{name}@{_weights(name, tmp_path)}")
    grid_NRC, pooled_NC = encoder.encode(PICTURE)
    assert (encoder.width, encoder.grid_shape) == (width, (side, side))
    assert (grid_NRC.shape, pooled_NC.shape) == ((1, side * side, width), (1, width))
    assert name in encoder.describe()


def test_a_file_of_torch_and_one_of_safetensors_are_the_same_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = models.squeezenet1_1().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"state_dict": state}, tmp_path / "b.pth")
    prints = {
        image_encoder(f"torchvision:squeezenet1_1@{tmp_path / file}").fingerprint for file in ("a.safetensors", "b.pth")
    }
    assert len(prints) == 1


def test_weights_in_torch_hubs_cache_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    entry = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    (tmp_path / "checkpoints").mkdir()
    torch.save(models.squeezenet1_1().state_dict(), tmp_path / "checkpoints" / Path(entry.url).name)
    assert "IMAGENET1K_V1" in image_encoder("torchvision:squeezenet1_1@IMAGENET1K_V1").describe()
    assert "IMAGENET1K_V1" in image_encoder("torchvision:squeezenet1_1").describe()


def test_without_weights_the_error_names_the_file_and_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(ValueError, match=r"(?s)resnet50-11ad3fa6\.pth.*no route to host.*'shipped'"):
        image_encoder("torchvision:resnet50")


def test_a_file_with_more_than_tensors_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "code.pth"
    torch.save({"state_dict": Path}, path)
    with pytest.raises(ValueError, match="does not hold weights"):
        image_encoder(f"torchvision:squeezenet1_1@{path}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet50", "names no picture encoder"),
        ("torchvision:", "names no picture encoder"),
        ("torchvision:resnet9000", "no classification model 'resnet9000'"),
        ("torchvision:squeezenet1_1@/nowhere/weights.safetensors", "is no file"),
    ],
)
def test_wrong_names_say_what_is_right(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        image_encoder(name)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = _weights("squeezenet1_0", tmp_path)
    with pytest.raises(ValueError, match="not those of torchvision's resnet18"):
        image_encoder(f"torchvision:resnet18@{path}")


@pytest.mark.slow
def test_a_model_without_a_feature_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no feature map"):
        image_encoder(f"torchvision:vit_b_32@{_weights('vit_b_32', tmp_path)}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width"), [("resnet50", 2048), ("vgg16", 512), ("swin_t", 768)])
def test_full_size_models(name: str, width: int, tmp_path: Path) -> None:
    encoder = image_encoder(f"torchvision:{name}@{_weights(name, tmp_path)}")
    grid_NRC, pooled_NC = encoder.encode(PICTURE)
    assert (grid_NRC.shape, pooled_NC.shape) == ((1, 49, width), (1, width))

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision import models
from torchvision.models import SwinTransformer, VisionTransformer

from model.encoders.catalogue import image_encoder
from model.encoders.torchvision_grid import until_pooling

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


def test_without_weights_the_error_names_the_file_and_the_ways_out_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("downloaded"))
    with pytest.raises(ValueError, match=r"resnet50-11ad3fa6\.pth: `tagloom encoders fetch torchvision:resnet50` gets"):
        image_encoder("torchvision:resnet50")
    with pytest.raises(ValueError, match=r"`tagloom encoders fetch torchvision:resnet50@IMAGENET1K_V1` gets them"):
        image_encoder("torchvision:resnet50@IMAGENET1K_V1")


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


def _vit(size: int) -> VisionTransformer:
    torch.manual_seed(0)
    vit = VisionTransformer(size, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32).eval()
    nn.init.normal_(vit.heads[0].weight)  # zero as it is made
    return vit


@torch.inference_mode()
def test_a_vit_gives_its_patches_without_the_class_token() -> None:
    vit = _vit(32)
    pixels_N3HW = torch.rand(2, 3, 32, 32)
    map_NCHW = until_pooling(vit)(pixels_N3HW)
    tokens_NRC = vit._process_input(pixels_N3HW)  # torchvision has no public way to a ViT's tokens
    tokens_NTC = vit.encoder(torch.cat([vit.class_token.expand(2, -1, -1), tokens_NRC], dim=1))
    assert map_NCHW.shape == (2, 16, 4, 4)
    assert torch.allclose(map_NCHW[:, :, 2, 1], tokens_NTC[:, 1 + 2 * 4 + 1], atol=1e-5)
    assert torch.allclose(vit.heads(tokens_NTC[:, 0]), vit(pixels_N3HW), atol=1e-5)


def test_a_cut_vit_calls_its_tensors_as_the_whole_one() -> None:
    vit = _vit(32)
    names = {key.removeprefix("body.") for key in until_pooling(vit).state_dict()}
    assert names == {key for key in vit.state_dict() if not key.startswith("heads.")}


@pytest.mark.parametrize("kind", ["vit", "swin"])
@torch.inference_mode()
def test_cells_lie_where_the_picture_has_them(kind: str) -> None:
    """Of all cells, that changes most in which the picture changes: third row, second column."""
    torch.manual_seed(0)
    network = _vit(32) if kind == "vit" else SwinTransformer([4, 4], 8, [1, 1], [1, 2], [4, 4], num_classes=2).eval()
    pixels_N3HW = torch.rand(2, 3, 32, 32)
    pixels_N3HW[1] = pixels_N3HW[0]
    pixels_N3HW[1, :, 18:22, 10:14] += 2
    before_CHW, after_CHW = until_pooling(network)(pixels_N3HW)
    assert int((after_CHW - before_CHW).norm(dim=0).argmax()) == 2 * 4 + 1


def test_a_network_without_a_classifier_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no feature map before a classifier: name another .* such as resnet50"):
        until_pooling(nn.Sequential(nn.Conv2d(3, 4, 1)))


@pytest.mark.slow
def test_a_vits_pictures_are_as_large_as_its_weights_were_trained_for(tmp_path: Path) -> None:
    save_file(models.vit_b_32(weights=None, image_size=384).state_dict(), tmp_path / "large.safetensors")
    encoder = image_encoder(f"torchvision:vit_b_32@{tmp_path / 'large.safetensors'}")
    assert (encoder.preprocessing.size, encoder.grid_shape) == (384, (12, 12))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
def test_googlenet_normalises_as_it_was_trained(tmp_path: Path) -> None:
    encoder = image_encoder(f"torchvision:googlenet@{_weights('googlenet', tmp_path)}")
    trained = models.googlenet(weights=None, transform_input=True, init_weights=False).eval()
    trained.load_state_dict(load_file(tmp_path / "googlenet.safetensors"))
    maps: list[Tensor] = []
    trained.avgpool.register_forward_pre_hook(lambda _, given: maps.append(given[0]))
    with torch.inference_mode():
        trained(encoder.preprocessing(PICTURE))
    grid_NRC = encoder.encode(PICTURE)[0]
    assert (grid_NRC - maps[0].flatten(2).transpose(1, 2)).norm() < 0.03 * grid_NRC.norm()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cells", "width"),
    [("resnet50", 49, 2048), ("vgg16", 49, 512), ("swin_t", 49, 768), ("vit_b_16", 196, 768)],
)
def test_full_size_models(name: str, cells: int, width: int, tmp_path: Path) -> None:
    encoder = image_encoder(f"torchvision:{name}@{_weights(name, tmp_path)}")
    grid_NRC, pooled_NC = encoder.encode(PICTURE)
    assert (grid_NRC.shape, pooled_NC.shape) == ((1, cells, width), (1, width))

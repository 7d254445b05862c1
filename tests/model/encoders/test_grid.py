from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from model.encoders.catalogue import image_encoder
from model.encoders.grid import BATCH, GridEncoder, Preprocessing
from model.encoders.kept import PLACES
from model.encoders.runtime import HANDFUL
from model.encoders.small_resnet import SmallResNet
from model.encoders.ways import EAGER, WAYS, Frozen
from tagloom.datasets.dataset import load

PREPROCESSING = Preprocessing(64, (0.5, 0.4, 0.3), (0.25, 0.2, 0.1))


def _encoder() -> GridEncoder:
    torch.manual_seed(0)
    return GridEncoder(SmallResNet((8, 16), (1, 1)), PREPROCESSING, "small")


def _pictures(count: int) -> list[Image.Image]:
    generator = torch.Generator().manual_seed(1)
    colours = torch.randint(0, 256, (count, 3), generator=generator).tolist()
    return [Image.new("RGB", (40 + 9 * index, 90), tuple(colour)) for index, colour in enumerate(colours)]


def test_a_grid_has_a_row_for_each_cell_and_its_mean_is_the_pooled_picture() -> None:
    encoder = _encoder()
    grid_NRC, pooled_NC = encoder.encode(_pictures(3))
    assert (encoder.width, encoder.grid_shape) == (16, (8, 8))
    assert grid_NRC.shape == (3, 64, 16)
    assert torch.allclose(pooled_NC, grid_NRC.mean(1))


def test_no_pictures_give_no_rows() -> None:
    grid_NRC, pooled_NC = _encoder().encode([])
    assert (grid_NRC.shape, pooled_NC.shape) == ((0, 64, 16), (0, 16))


def test_alone_or_among_others_a_picture_has_the_same_features() -> None:
    """Features are cached: within 2 % of their norm, whatever the batch (bfloat16 kernels differ by batch size)."""
    encoder, pictures = _encoder(), _pictures(19)
    together = encoder.encode(pictures)[0]
    for index in (0, 16, 18):
        alone = encoder.encode([pictures[index]])[0][0]
        assert (alone - together[index]).norm() < 0.02 * alone.norm()


def test_cells_lie_row_by_row_where_the_picture_has_them() -> None:
    class Pixels(nn.Module):
        def forward(self, pixels_N3HW: Tensor) -> Tensor:
            return nn.functional.avg_pool2d(pixels_N3HW, 16)

    picture = Image.new("RGB", (400, 100))
    ImageDraw.Draw(picture).rectangle((300, 0, 399, 24), fill="white")
    encoder = GridEncoder(Pixels(), Preprocessing(64, (0.0,) * 3, (1.0,) * 3), "pixels")
    grid_RC = encoder.encode([picture])[0][0]
    assert encoder.grid_shape == (4, 4)
    assert int(grid_RC[:, 0].argmax()) == 3


def test_preprocessing_normalises_by_channel() -> None:
    pixels = PREPROCESSING([Image.new("RGB", (10, 20), (255, 0, 255))])
    assert pixels.shape == (1, 3, 64, 64)
    assert pixels[0, :, 5, 5].tolist() == pytest.approx([2.0, -2.0, 7.0], abs=1e-5)


def test_a_network_without_a_grid_is_refused() -> None:
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="grid of regions"):
        GridEncoder(pooled, PREPROCESSING, "pooled")


def test_pictures_are_scaled_as_pillow_does_it() -> None:
    samples = [sample.open() for sample in load("samples/data").samples[:4]]
    shapes = [(1200, 900), (500, 500), (64, 64), (40, 1000), (7, 5), (1, 1)]
    pictures = [sample.resize(shape) for sample in samples for shape in shapes]
    plain = Preprocessing(64, (0.0,) * 3, (1.0,) * 3)
    for picture, pixels_3HW in zip(pictures, plain(pictures), strict=True):
        scaled = np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC)).astype(np.float32)
        levels = (255 * pixels_3HW.permute(1, 2, 0) - torch.from_numpy(scaled)).abs()
        assert levels.max() < 3.1
        assert levels.mean() < 0.2


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_pictures_of_other_modes_are_encoded(mode: str) -> None:
    picture = Image.new("RGB", (30, 20), (255, 0, 0)).convert(mode)
    assert torch.allclose(PREPROCESSING([picture]), PREPROCESSING([picture.convert("RGB")]))


def test_pictures_keep_their_order_over_several_batches() -> None:
    encoder, pictures = _encoder(), _pictures(3 * BATCH + 2)
    together = encoder.encode(pictures)[0]
    for index in (0, BATCH - 1, BATCH, 2 * BATCH + 3, 3 * BATCH + 1):
        assert torch.allclose(encoder.encode([pictures[index]])[0][0], together[index], atol=1e-5)


def test_an_error_in_preparing_a_later_batch_is_raised() -> None:
    class Broken(Image.Image):
        mode = "RGB"

        def tobytes(self, *_: object) -> bytes:
            raise OSError("the file is gone")

    pictures: list[Image.Image] = [*_pictures(BATCH), Broken()]
    with pytest.raises(OSError, match="gone"):
        _encoder().encode(pictures)


def test_each_way_that_is_chosen_agrees_on_real_pictures(tmp_path: Path) -> None:
    """Of the ways that this machine has, each either agrees in all vectors or is refused."""
    pictures = [sample.open() for sample in load("samples/data").samples[: HANDFUL + BATCH]]
    encoder = image_encoder("shipped")
    assert encoder.runtime
    expected = encoder.encode(pictures)
    with PLACES.kept_in(tmp_path):
        encoder.encode(pictures)
        assert encoder.runtime.settled(60)
    found = encoder.encode(pictures)
    for before, after in zip(expected, found, strict=True):
        # .999 in all vectors of the samples that were compared; others may lie a little below.
        cosine = torch.cosine_similarity(before, after, dim=-1)
        assert cosine.mean() > 0.999
        assert cosine.min() > 0.99
    assert encoder.fingerprint == image_encoder("shipped").fingerprint
    assert encoder.runtime.way in {EAGER, *(way.name for way in WAYS)}


def test_openvino_in_single_precision_gives_the_same_features(tmp_path: Path) -> None:
    (way,) = (each for each in WAYS if each.name == "OpenVINO float32")
    encoder = image_encoder("shipped")
    pixels_N3HW = encoder.preprocessing([sample.open() for sample in load("samples/data").samples[:6]])
    run = way.prepare(Frozen(encoder.network, (pixels_N3HW[:1],), tmp_path / "form.xml"))
    assert encoder.runtime
    expected, found = (encoder.runtime.vectors((), each(pixels_N3HW)) for each in (encoder.runtime, run))
    assert torch.cosine_similarity(expected, found, dim=-1).min() > 0.9999

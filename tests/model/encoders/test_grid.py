import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from model.encoders.grid import GridEncoder, Preprocessing
from model.encoders.small_resnet import SmallResNet

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

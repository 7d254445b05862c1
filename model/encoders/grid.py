"""Any network of pictures as an encoder: the grid is its last feature map, or its last tokens folded into a map.

Shape suffixes: N pictures, T tokens, R grid cells, C width; H, W pixels; 3 colours.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from model.encoders import fingerprints
from model.encoders.precision import autocast
from model.encoders.runtime import Runtime

# Pictures that are encoded at a time; larger batches are no faster, and are prepared for longer before the first.
BATCH = 8


@dataclass(frozen=True)
class Preprocessing:
    """The preparation of pictures for a network.

    Pictures of any shape are scaled to a square, so that a grid cell is a fixed part of the picture.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """Return normalised pixels (N, 3, size, size)."""
        pixels_N3HW = torch.cat([_scaled(image, self.size) for image in images])
        mean, std = (255 * torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels_N3HW - mean).div_(std).contiguous()


def _scaled(image: Image.Image, size: int) -> Tensor:
    """Return a picture's colours (1, 3, size, size), 0 to 255, smoothed where it shrinks.

    They are those of Pillow's bicubic filter to within a level or two (three where a tiny picture grows), and 3 to
    5 times as soon.
    """
    # Converting would copy a picture that is RGB already.
    pixels_HW3 = torch.from_numpy(np.array(image if image.mode == "RGB" else image.convert("RGB")))
    pixels_13HW = pixels_HW3.permute(2, 0, 1)[None]
    return interpolate(pixels_13HW, (size, size), mode="bicubic", antialias=True)


class GridEncoder:
    """A frozen network with a feature map (N, C, rows, columns) for pixels (N, 3, size, size); an ImageEncoder.

    The pooled vector is the mean over the grid. Raises ValueError where the output is no feature map.

        encoder = GridEncoder(network, Preprocessing(224, mean, std), "my network")
        grid_NRC, pooled_NC = encoder.encode(images)
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, description: str, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.preprocessing = preprocessing
        self._description = description
        self.fingerprint = fingerprints.of_module(network, preprocessing)
        self.network = network.eval().requires_grad_(False).to(self.device)
        # On a GPU there is one way.
        self.runtime: Runtime | None = None
        if self.device.type == "cpu":
            self.runtime = Runtime(self.network, self.fingerprint, description, _regions_and_mean)
        else:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub
        size = preprocessing.size
        with torch.inference_mode():
            shape = _map(self.network, torch.zeros(1, 3, size, size, device=self.device)).shape
        if len(shape) != 4 or shape[2] * shape[3] == 1:
            raise ValueError(f"{self._description} gives {tuple(shape)}, not a grid of regions: name another encoder")
        self.width, self.grid_shape = shape[1], (shape[2], shape[3])

    def describe(self) -> str:
        return self._description

    def with_network(self, network: nn.Module, description: str) -> "GridEncoder":
        """Return an encoder with another network of the same kind; it has another fingerprint."""
        return GridEncoder(network, self.preprocessing, description, str(self.device))

    def maps(self, network: nn.Module, images: Sequence[Image.Image]) -> Tensor:
        """Return the feature maps (N, C, rows, columns) of ``network``, a copy of this encoder's, on its device.

        Gradients are computed, unless the caller has switched them off.
        """
        pixels_N3HW = self.preprocessing(images).to(self.device, memory_format=torch.channels_last)
        return _map(network, pixels_N3HW)

    def encode(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Return grids (N, R, C) of R = rows × columns cells, and pooled vectors (N, C), as float32 on the CPU."""
        if not images:
            rows, columns = self.grid_shape
            return torch.zeros(0, rows * columns, self.width), torch.zeros(0, self.width)
        batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        # Joined outside of inference mode, so that the caller can use the result in training.
        grid_NRC = torch.cat([self._grids(pixels_N3HW) for pixels_N3HW in self._prepared(batches)])
        return grid_NRC, grid_NRC.mean(dim=1)

    def _prepared(self, batches: Sequence[Sequence[Image.Image]]) -> Iterator[Tensor]:
        """Yield the pixels of each batch. While the network runs on one, a thread prepares the next."""
        with ThreadPoolExecutor(1, "prepare") as beside:
            ready = self.preprocessing(batches[0])
            for following in batches[1:]:
                ahead = beside.submit(self.preprocessing, following)
                yield ready
                ready = ahead.result()
        yield ready

    def _grids(self, pixels_N3HW: Tensor) -> Tensor:
        """Return grids (N, R, C) on the CPU."""
        if self.runtime:
            map_NCHW = self.runtime(pixels_N3HW)
        else:
            with torch.inference_mode():
                map_NCHW = _map(self.network, pixels_N3HW.to(self.device, memory_format=torch.channels_last)).cpu()
        return _grid(map_NCHW)


def folded(token_NTC: Tensor, side: int) -> Tensor:
    """Return the last side² tokens, which are patches row by row, as a map (N, C, side, side).

    Tokens before the patches (class, distillation, registers) are left out.
    """
    patch_NCR = token_NTC[:, token_NTC.shape[1] - side**2 :].transpose(1, 2)
    return patch_NCR.reshape(*patch_NCR.shape[:2], side, side)


def _grid(map_NCHW: Tensor) -> Tensor:
    return map_NCHW.flatten(2).transpose(1, 2)


def _regions_and_mean(_: tuple[Tensor, ...], map_NCHW: Tensor) -> Tensor:
    """Return the vectors of all regions and pictures (M, C)."""
    grid_NRC = _grid(map_NCHW)
    return torch.cat([grid_NRC.flatten(0, 1), grid_NRC.mean(1)])


def _map(network: nn.Module, pixels_N3HW: Tensor) -> Tensor:
    """Return the network's output in single precision."""
    with autocast(pixels_N3HW.device):
        output = network(pixels_N3HW)
    return torch.as_tensor(output).float()

"""Any network of pictures as an encoder: its last feature map, or its last tokens folded into one, is the grid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from model.encoders import fingerprints
from model.encoders.precision import autocast

BATCH = 16


@dataclass(frozen=True)
class Preprocessing:
    """Pictures are scaled to a square, whatever their shape, so that a grid cell is a fixed part of the picture."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """Normalised pixels, (N, 3, size, size)."""
        scaled = [image.convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC) for image in images]
        pixels_NHW3 = torch.from_numpy(np.stack([np.asarray(image) for image in scaled]))
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels_NHW3.permute(0, 3, 1, 2).float() / 255 - mean) / std


class GridEncoder:
    """A frozen network whose output for (N, 3, size, size) is a feature map (N, C, rows, columns); see ImageEncoder.

    The pooled vector is the mean over the grid. Raises ValueError when the output is no feature map.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing, description: str, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.preprocessing = preprocessing
        self._description = description
        self.fingerprint = fingerprints.of_module(network, preprocessing)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub
        self.network = network.eval().requires_grad_(False).to(self.device)
        self.width, rows, columns = self._probe()
        self.grid_shape = (rows, columns)

    def describe(self) -> str:
        return self._description

    def with_network(self, network: nn.Module, description: str) -> "GridEncoder":
        """The same encoder with other weights: another one, with a fingerprint of its own."""
        return GridEncoder(network, self.preprocessing, description, str(self.device))

    def maps(self, network: nn.Module, images: Sequence[Image.Image]) -> Tensor:
        """(N, C, rows, columns) of ``network``, a copy of this encoder's, on its device; gradients flow where they are
        asked for."""
        pixels_N3HW = self.preprocessing(images).to(self.device, memory_format=torch.channels_last)
        return _map(network, pixels_N3HW)

    def encode(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Grid (N, R, C) with R = rows × columns cells, row by row, and pooled vectors (N, C); float32 on the CPU."""
        if not images:
            rows, columns = self.grid_shape
            return torch.zeros(0, rows * columns, self.width), torch.zeros(0, self.width)
        grid_NRC = torch.cat([self._grids(batch) for batch in _batches(images)])
        return grid_NRC, grid_NRC.mean(dim=1)

    @torch.inference_mode()
    def _grids(self, images: Sequence[Image.Image]) -> Tensor:
        return self.maps(self.network, images).cpu().flatten(2).transpose(1, 2)

    @torch.inference_mode()
    def _probe(self) -> tuple[int, int, int]:
        size = self.preprocessing.size
        shape = _map(self.network, torch.zeros(1, 3, size, size, device=self.device)).shape
        if len(shape) != 4 or shape[2] * shape[3] == 1:
            raise ValueError(f"{self._description} gives {tuple(shape)}, not a grid of regions: name another encoder")
        return shape[1], shape[2], shape[3]


def folded(token_NTC: Tensor, side: int) -> Tensor:
    """(N, C, side, side) of the last side² tokens, which are patches row by row; what stands before them (class,
    distillation, registers) goes."""
    patch_NCR = token_NTC[:, token_NTC.shape[1] - side**2 :].transpose(1, 2)
    return patch_NCR.reshape(*patch_NCR.shape[:2], side, side)


def _map(network: nn.Module, pixels_N3HW: Tensor) -> Tensor:
    """What the network makes of the pixels, in single precision."""
    with autocast(pixels_N3HW.device):
        output = network(pixels_N3HW)
    return torch.as_tensor(output).float()


def _batches(images: Sequence[Image.Image]) -> Iterator[Sequence[Image.Image]]:
    return (images[start : start + BATCH] for start in range(0, len(images), BATCH))

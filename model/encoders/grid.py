"""Any network of pictures as an encoder: the grid is its last feature map, or its last tokens folded into a map.

Shape suffixes: N pictures, T tokens, R grid cells, C width; H, W pixels; 3 colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from model.encoders import fingerprints
from model.encoders.precision import autocast

# Pictures that are encoded at a time.
BATCH = 16


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
        scaled = [image.convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC) for image in images]
        pixels_NHW3 = torch.from_numpy(np.stack([np.asarray(image) for image in scaled]))
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels_NHW3.permute(0, 3, 1, 2).float() / 255 - mean) / std


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
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub
        self.network = network.eval().requires_grad_(False).to(self.device)
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
        with torch.inference_mode():
            grids = [self.maps(self.network, batch).cpu().flatten(2).transpose(1, 2) for batch in batches]
        # Outside of inference mode, so that the caller can use the result in training.
        grid_NRC = torch.cat(grids)
        return grid_NRC, grid_NRC.mean(dim=1)


def folded(token_NTC: Tensor, side: int) -> Tensor:
    """Return the last side² tokens, which are patches row by row, as a map (N, C, side, side).

    Tokens before the patches (class, distillation, registers) are left out.
    """
    patch_NCR = token_NTC[:, token_NTC.shape[1] - side**2 :].transpose(1, 2)
    return patch_NCR.reshape(*patch_NCR.shape[:2], side, side)


def _map(network: nn.Module, pixels_N3HW: Tensor) -> Tensor:
    """Return the network's output in single precision."""
    with autocast(pixels_N3HW.device):
        output = network(pixels_N3HW)
    return torch.as_tensor(output).float()

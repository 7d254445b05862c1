"""Drawn pictures and what covers each part of them, to train the shipped picture encoder on.

Shape suffixes: N pictures, B batch, R grid cells, E elements of one picture, K kinds of product, S picture side.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from tools.samples.draw import views
from tools.samples.family import View

SIDE = 256  # px of the stored drawings
MOST_ELEMENTS = 16  # boxes kept of one picture
TEXT, OBJECT, NOTHING = 0, 1, -1
OBJECTS = ("主体", "赠品")  # every other element is text; which text it is, is not told to the encoder


@dataclass(frozen=True)
class Drawings:
    """Pictures as bytes, each one's boxes in fractions (rows beyond its last have kind NOTHING), and its product."""

    pixels_NSS3: Tensor  # uint8
    boxes_NE4: Tensor  # left, top, right, bottom
    kinds_NE: Tensor
    products_N: Tensor


@dataclass(frozen=True)
class Batch:
    """Augmented pictures in [0, 1] and their boxes."""

    pixels_B3SS: Tensor
    boxes_BE4: Tensor
    kinds_BE: Tensor
    products_B: Tensor


def draw(seed: int, wanted: int, folder: Path) -> tuple[Drawings, list[str]]:
    """That many drawings of a seed and the names of their products; drawn once, then read from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"drawings-{seed}-{wanted}.safetensors"
    if not file.exists():
        _write(islice(views(seed), wanted), wanted, file)
    with safe_open(file, framework="pt") as stored:
        names = stored.metadata()["products"].split("|")
        tensors = (stored.get_tensor(name) for name in ("pixels_NSS3", "boxes_NE4", "kinds_NE", "products_N"))
        return Drawings(*tensors), names


def _write(drawn: Iterable[View], wanted: int, file: Path) -> None:
    pixels_NSS3 = torch.zeros(wanted, SIDE, SIDE, 3, dtype=torch.uint8)
    boxes_NE4 = torch.zeros(wanted, MOST_ELEMENTS, 4)
    kinds_NE = torch.full((wanted, MOST_ELEMENTS), NOTHING)
    products: list[str] = []
    for number, view in enumerate(drawn):
        picture = view.image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pixels_NSS3[number] = torch.from_numpy(np.array(picture))
        for place, box in enumerate(view.boxes[:MOST_ELEMENTS]):
            boxes_NE4[number, place] = torch.tensor([box.x, box.y, box.x + box.width, box.y + box.height]) / 100
            kinds_NE[number, place] = OBJECT if box.label in OBJECTS else TEXT
        products.append(view.level2)
    names = sorted(set(products))
    tensors = {
        "pixels_NSS3": pixels_NSS3,
        "boxes_NE4": boxes_NE4,
        "kinds_NE": kinds_NE,
        "products_N": torch.tensor([names.index(product) for product in products]),
    }
    part = file.with_suffix(".part")
    save_file(tensors, part, metadata={"products": "|".join(names)})
    part.replace(file)


def batch(drawings: Drawings, rows: Tensor, size: int, generator: torch.Generator) -> Batch:
    """Some of the pictures, each cut out at random, in other colours, now and then blurred, at a side of ``size``."""
    pixels_B3SS = drawings.pixels_NSS3[rows].permute(0, 3, 1, 2).float() / 255
    zoom_B2 = 0.65 + 0.45 * torch.rand(len(rows), 1, generator=generator) + _spread((len(rows), 2), 0.08, generator)
    start_B2 = (1 - zoom_B2) * torch.rand(len(rows), 2, generator=generator)
    cut_B3SS = _cut(pixels_B3SS, start_B2, zoom_B2, size)
    boxes_BE4 = (drawings.boxes_NE4[rows] - start_B2.repeat(1, 2)[:, None]) / zoom_B2.repeat(1, 2)[:, None]
    kinds_BE = drawings.kinds_NE[rows].clone()
    inside_BE4 = boxes_BE4.clamp(0, 1)
    kinds_BE[(inside_BE4[..., 2:] - inside_BE4[..., :2]).amin(dim=-1) < 0.02] = NOTHING
    return Batch(_recoloured(cut_B3SS, generator), inside_BE4, kinds_BE, drawings.products_N[rows])


def _cut(pixels_B3SS: Tensor, start_B2: Tensor, zoom_B2: Tensor, size: int) -> Tensor:
    """The part from ``start`` on, ``zoom`` long, both in fractions."""
    theta_B23 = torch.zeros(len(pixels_B3SS), 2, 3)
    theta_B23[:, 0, 0], theta_B23[:, 1, 1] = zoom_B2[:, 0], zoom_B2[:, 1]
    theta_B23[:, :, 2] = 2 * start_B2 + zoom_B2 - 1
    grid_BSS2 = functional.affine_grid(theta_B23, [len(pixels_B3SS), 3, size, size], align_corners=False)
    return functional.grid_sample(pixels_B3SS, grid_BSS2, padding_mode="reflection", align_corners=False)


def _recoloured(pixels_B3SS: Tensor, generator: torch.Generator) -> Tensor:
    """Other brightness, contrast and saturation, noise, and a blur on a quarter: photographs are less clean."""
    count = len(pixels_B3SS)
    grey_B1SS = pixels_B3SS.mean(dim=1, keepdim=True)
    pixels_B3SS = grey_B1SS + (pixels_B3SS - grey_B1SS) * (1 + _spread((count, 1, 1, 1), 0.5, generator))
    pixels_B3SS = (pixels_B3SS - 0.5) * (1 + _spread((count, 1, 1, 1), 0.3, generator)) + 0.5
    pixels_B3SS = pixels_B3SS + _spread((count, 3, 1, 1), 0.15, generator)
    soft = torch.rand(count, generator=generator) < 0.25
    pixels_B3SS[soft] = functional.avg_pool2d(pixels_B3SS[soft], 3, stride=1, padding=1)
    noise_B3SS = torch.randn(pixels_B3SS.shape, generator=generator)
    return (pixels_B3SS + 0.02 * noise_B3SS).clamp(0, 1)


def _spread(shape: tuple[int, ...], most: float, generator: torch.Generator) -> Tensor:
    """Uniform in [-most, most]."""
    return (2 * torch.rand(shape, generator=generator) - 1) * most


def coverage(boxes_BE4: Tensor, kinds_BE: Tensor, side: int) -> Tensor:
    """cover_BKR: the share of each cell of a side × side grid that text (0) and objects (1) cover, at most 1."""
    low = torch.arange(side) / side
    width_BES = _overlap(boxes_BE4[..., 0::2], low, 1 / side)
    height_BES = _overlap(boxes_BE4[..., 1::2], low, 1 / side)
    share_BER = (height_BES[..., :, None] * width_BES[..., None, :]).flatten(2) * side * side
    found = [(share_BER * (kinds_BE == kind)[..., None]).amax(dim=1) for kind in (TEXT, OBJECT)]
    return torch.stack(found, dim=1)


def _overlap(span_BE2: Tensor, low_S: Tensor, length: float) -> Tensor:
    high = torch.minimum(span_BE2[..., 1:], low_S + length)
    return (high - torch.maximum(span_BE2[..., :1], low_S)).clamp(min=0)


def edges(boxes_BE4: Tensor, kinds_BE: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """For each cell's middle, the smallest box around it (B, R, 4) and that box's row, NOTHING where there is none."""
    middle = (torch.arange(side) + 0.5) / side
    y_R, x_R = (part.flatten() for part in torch.meshgrid(middle, middle, indexing="ij"))
    left, top, right, bottom = (boxes_BE4[..., index, None] for index in range(4))
    inside_BER = (left < x_R) & (x_R < right) & (top < y_R) & (y_R < bottom) & (kinds_BE != NOTHING)[..., None]
    area_BER = torch.where(inside_BER, (right - left) * (bottom - top), torch.inf)
    smallest_BR = area_BER.argmin(dim=1)
    box_BR4 = torch.gather(boxes_BE4, 1, smallest_BR[..., None].expand(-1, -1, 4))
    return box_BR4, torch.where(inside_BER.any(dim=1), smallest_BR, NOTHING)

"""Encoder features of one item, computed once and shared by prediction, propagation and training.

Shape suffixes: R grid cells (rows × columns), C image width, T text tokens (title first, then read blocks),
E text width, L industry levels.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from model.features.said import SILENCE, Said
from model.features.screens import home_of, inside, screens_of
from model.items import Box, TextBlock

# Rows and columns of the raster on which contrast is measured.
CELLS = 24
INDUSTRY_WIDTH = 128
# The version of the features' content and storage; a new number gives a new space.
FORMAT = 1


@dataclass(frozen=True)
class ItemFeatures:
    """Features of one item. A missing modality has zero rows (R = 0, T = 0) and zero pooled vectors.

    ``size`` is the width and height of the upright picture in pixels, (0, 0) without a picture. ``grid_shape`` is rows
    and columns of the grid. ``token_block_T`` is the number of each token's read block, -1 for a token of the title.
    ``title_E`` and ``reading_E`` are the means of the tokens of the title and of all read text. ``thumbnail_HW3`` is an
    RGB picture of at most 128 pixels on its long side (a long picture's has at most four times as many pixels as a
    square one's), from which colour and saliency are computed. ``industry_LE`` are the text embeddings of the industry
    levels. ``texts`` are the item's further texts by field, ``texts_E`` their pooled vectors. ``notes`` say what of the
    picture was not shown or read as usual (``model.items.Item``, ``model.reading.lines``). ``said`` is what sources of
    others say of the item; it is attached to features that were read, and never cached with them.
    """

    size: tuple[int, int]
    grid_RC: Tensor  # float16
    grid_shape: tuple[int, int]
    image_C: Tensor  # float16
    tokens_TE: Tensor  # float16
    token_block_T: Tensor  # int16
    title_E: Tensor  # float16
    reading_E: Tensor  # float16
    blocks: tuple[TextBlock, ...]
    thumbnail_HW3: Tensor  # uint8
    title: str
    industry: tuple[str, ...]
    industry_LE: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.float16))
    texts: dict[str, str] = field(default_factory=dict)
    texts_E: dict[str, Tensor] = field(default_factory=dict)  # float16
    notes: tuple[str, ...] = ()
    said: Said = SILENCE

    @cached_property
    def screens(self) -> tuple[Box, ...]:
        """The nearly square parts of a long picture; the whole picture where it is not long."""
        return tuple(screens_of(self.size, self.thumbnail_HW3.numpy(), self.blocks))

    @cached_property
    def blocks_on_screens(self) -> tuple[TextBlock, ...]:
        """The read blocks with their places in the screen that they stand on; ``blocks`` where the picture is one."""
        if len(self.screens) == 1:
            return self.blocks
        homes = [self.screens[home_of(block.box, self.screens)] for block in self.blocks]
        pairs = zip(self.blocks, homes, strict=True)
        return tuple(replace(block, box=inside(block.box, home)) for block, home in pairs)

    def on_screens(self) -> "list[ItemFeatures]":
        """Return the item once for each screen, with the blocks and pixels of that screen alone, and without a grid."""
        height, width = self.thumbnail_HW3.shape[:2]
        homes = [home_of(block.box, self.screens) for block in self.blocks]
        proposed = [(home_of(box, self.screens), box) for box in self.said.boxes]
        parts = []
        for number, screen in enumerate(self.screens):
            rows = slice(round(screen.top * height), round(screen.bottom * height))
            columns = slice(round(screen.left * width), round(screen.right * width))
            shown = tuple(b for b, home in zip(self.blocks_on_screens, homes, strict=True) if home == number)
            size = (round(screen.width * self.size[0]), round(screen.height * self.size[1]))
            pixels_HW3 = self.thumbnail_HW3[rows, columns].contiguous()
            said = replace(self.said, boxes=tuple(inside(box, screen) for home, box in proposed if home == number))
            part = replace(self, size=size, blocks=shown, thumbnail_HW3=pixels_HW3, said=said)
            parts.append(replace(part, grid_RC=self.grid_RC[:0], grid_shape=(0, 0)))
        return parts

    @cached_property
    def contrast(self) -> float | None:
        """The mean colour distance of the picture's cells to its rim, in steps of 0 to 255; cells with text count as 0.

        None for an item without a picture. A picture with little contrast shows no object (docs/results.md).
        """
        if not all(self.size) or not self.thumbnail_HW3.numel():
            return None
        planes = self.thumbnail_HW3.permute(2, 0, 1)[None].float()
        red, green, blue = functional.interpolate(planes, size=(CELLS, CELLS), mode="area")[0]
        opponents = torch.stack([(red + green + blue) / 3, 0.7 * (red - green), 0.7 * ((red + green) / 2 - blue)])
        rim = torch.cat([opponents[:, 0], opponents[:, -1], opponents[:, 1:-1, 0], opponents[:, 1:-1, -1]], dim=1)
        unlike = (opponents - rim.median(dim=1).values[:, None, None]).abs().sum(0)
        for block in self.blocks:
            if block.is_text:
                left, right = int(block.box.left * CELLS), math.ceil(block.box.right * CELLS)
                unlike[int(block.box.top * CELLS) : math.ceil(block.box.bottom * CELLS), left:right] = 0.0
        return float(unlike.mean())


def hashed_industry(path: Sequence[str]) -> Tensor:
    """Return a (128,) unit vector with one entry for each level, at a place by a stable hash (feature hashing).

    So new values need no new columns.
    """
    hashed = torch.zeros(INDUSTRY_WIDTH)
    for level, value in enumerate(path):
        place = hashlib.blake2b(f"{level}:{value}".encode(), digest_size=4).digest()
        hashed[int.from_bytes(place, "big") % INDUSTRY_WIDTH] = 1.0
    return functional.normalize(hashed, dim=0)

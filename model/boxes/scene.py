"""One picture as the box code looks at it: its read blocks with places, line heights and roles, and its pixels."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from model.boxes.grouping import Layout
from model.boxes.nms import to_tensor
from model.boxes.pixels import Pixels, plate
from model.boxes.roles import Role, RoleReader
from model.features.item import ItemFeatures
from model.items import Box

UNREADABLE = 0.5


@dataclass(frozen=True)
class Scene:
    """A picture's read blocks (unsure readings left out) and pixels. ``aspect`` is width / height."""

    item: ItemFeatures
    boxes: tuple[Box, ...]
    roles: tuple[Role, ...]
    _plates: dict[Box, Box | None] = field(default_factory=dict)

    @classmethod
    def of(cls, item: ItemFeatures, reader: RoleReader) -> "Scene":
        """The scene of one item; one without a picture has no blocks and no pixels."""
        pairs = [(block.box, role) for block, role in zip(item.blocks, reader.roles(item), strict=True)]
        sure = [pair for pair, block in zip(pairs, item.blocks, strict=True) if _readable(block.box, block.score)]
        return cls(item, tuple(box for box, _ in sure), tuple(role for _, role in sure))

    @cached_property
    def aspect(self) -> float:
        width, height = self.item.size
        return width / height if height else 1.0

    @cached_property
    def layout(self) -> Layout:
        return Layout(to_tensor(self.boxes).numpy(), self.aspect)

    @cached_property
    def pixels(self) -> Pixels:
        """The thumbnail as (H, W, 3) signed integers."""
        return self.item.thumbnail_HW3.numpy().astype(np.int16)

    def plate(self, box: Box) -> Box | None:
        """The compact plate under a piece of copy, if there is one and the picture has pixels."""
        if box not in self._plates:
            self._plates[box] = plate(self.pixels, box) if self.pixels.size else None
        return self._plates[box]


def _readable(box: Box, score: float) -> bool:
    return score >= UNREADABLE and box.area > 0

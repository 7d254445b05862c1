"""One picture as the box code looks at it: its read blocks with places, line heights and roles, and its pixels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.boxes.grouping import beside, line_height, same_copy
from model.boxes.pixels import Pixels, plate
from model.boxes.roles import Role, RoleReader
from model.features import ItemFeatures
from model.items import Box

UNREADABLE = 0.5


@dataclass(frozen=True)
class Scene:
    """A picture's read blocks (unsure readings left out) and pixels. ``aspect`` is width / height."""

    item: ItemFeatures
    boxes: tuple[Box, ...]
    roles: tuple[Role, ...]

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
    def heights(self) -> tuple[float, ...]:
        """Line height of each block, in picture heights."""
        return tuple(line_height(box, self.aspect) for box in self.boxes)

    @cached_property
    def pixels(self) -> Pixels:
        return self.item.thumbnail_HW3.numpy().astype(np.int16)

    def plate(self, box: Box) -> Box | None:
        """The compact plate under a piece of copy, if there is one and the picture has pixels."""
        return plate(self.pixels, box) if self.pixels.size else None

    def same_copy(self, first: int, second: int, reach: float) -> bool:
        return same_copy(self.boxes[first], self.boxes[second], self.aspect, reach=reach)

    def beside(self, first: int, second: int) -> bool:
        return beside(self.boxes[first], self.boxes[second], self.aspect)


def _readable(box: Box, score: float) -> bool:
    return score >= UNREADABLE and box.area > 0

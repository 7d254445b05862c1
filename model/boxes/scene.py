"""One picture as the box code looks at it: its read blocks with places, line heights and roles, and its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from model.boxes.grouping import Layout
from model.boxes.nms import to_tensor
from model.boxes.pixels import Pixels, plate
from model.boxes.roles import Role, RoleReader
from model.features.item import ItemFeatures
from model.items import Box, TextBlock

UNREADABLE = 0.5


@dataclass(frozen=True)
class Scene:
    """A picture's read blocks (unsure readings and misread objects left out) and pixels. ``aspect`` is width / height.

    ``reasons`` are, for each block, the kinds of the lexicon whose tag it gives, with the probability it does so;
    ``denied`` are the kinds whose tag cues do not give.
    """

    item: ItemFeatures
    boxes: tuple[Box, ...]
    roles: tuple[Role, ...]
    reasons: tuple[Mapping[str, float], ...]
    kinds: tuple[str, ...]
    denied: frozenset[str]
    _plates: dict[Box, Box | None] = field(default_factory=dict)

    @classmethod
    def of(cls, item: ItemFeatures, reader: RoleReader) -> "Scene":
        """The scene of one item; one without a picture has no blocks and no pixels."""
        told = reader.told(item)
        said = zip(item.blocks, reader.roles(item), told.reasons, strict=True)
        sure = [(block.box, role, reasons) for block, role, reasons in said if _readable(block)]
        boxes, roles = tuple(box for box, _, _ in sure), tuple(role for _, role, _ in sure)
        return cls(item, boxes, roles, tuple(given for _, _, given in sure), reader.kinds, told.denied)

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


def _readable(block: TextBlock) -> bool:
    return block.score >= UNREADABLE and block.box.area > 0 and block.is_text

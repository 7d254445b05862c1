"""One picture as the box code sees it: its read blocks with places, line heights and roles, and its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from model.boxes.grouping import Layout
from model.boxes.nms import to_tensor
from model.boxes.pixels import Pixels, plate
from model.boxes.roles import Role, RoleReader
from model.features.item import ItemFeatures
from model.items import Box

# The least confidence of the text reader with which a block is used.
UNREADABLE = 0.5


@dataclass(frozen=True)
class Scene:
    """The usable read blocks of a picture, with what their words say, and the picture's pixels.

    Unsure readings and objects misread as text are left out. ``boxes``, ``roles`` and ``reasons`` have one entry for
    each block that is left: its place, its role, and the kinds of the lexicon that the block is a reason for, with
    their probabilities (``RoleReader.told``). ``kinds`` are the names of all kinds of the lexicon, ``denied`` the kinds
    whose tag the cues do not give. ``aspect`` is width / height of the picture.

        scene = Scene.of(item, RoleReader(Lexicon.load()))
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
        """Return the scene of one item; an item without a picture has no blocks and no pixels."""
        told = reader.told(item)
        sure = [
            (block.box, role, reasons)
            for block, role, reasons in zip(item.blocks, reader.roles(item), told.reasons, strict=True)
            if block.score >= UNREADABLE and block.box.area > 0 and block.is_text
        ]
        boxes, roles = tuple(box for box, _, _ in sure), tuple(role for _, role, _ in sure)
        return cls(item, boxes, roles, tuple(reasons for _, _, reasons in sure), reader.kinds, told.denied)

    @cached_property
    def aspect(self) -> float:
        width, height = self.item.size
        return width / height if height else 1.0

    @cached_property
    def layout(self) -> Layout:
        """Distances between the blocks."""
        return Layout(to_tensor(self.boxes).numpy(), self.aspect)

    @cached_property
    def pixels(self) -> Pixels:
        """The thumbnail as (H, W, 3) signed integers, so that colours can be subtracted."""
        return self.item.thumbnail_HW3.numpy().astype(np.int16)

    def plate(self, box: Box) -> Box | None:
        """Return the compact plate under a piece of copy; None without a plate or without pixels."""
        if box not in self._plates:
            self._plates[box] = plate(self.pixels, box) if self.pixels.size else None
        return self._plates[box]

"""What the sources of others say of an item: opinions on its labels, and boxes. It travels with the item's features."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.items import Box


@dataclass(frozen=True)
class Said:
    """What sources that others wrote say of one item (docs/sources.md).

    ``probabilities`` holds, by the source's name, the probability of each label on which the source has an opinion.
    ``boxes`` are the rectangles that any of them proposes, in fractions of the upright picture.

        Said({"brand list": {"LOGO": 0.9}}, (Box(0.1, 0.0, 0.4, 0.1),))
    """

    probabilities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()


SILENCE = Said()

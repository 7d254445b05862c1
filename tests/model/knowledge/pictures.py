"""Pictures of a small shop: plain grounds with a mark, a gift or a stranger's mark in them, and what is read there."""

import torch
from torch import Tensor
from torch.nn import functional

from model.features.item import ItemFeatures
from model.items import Box, Gold, LabelledBox, TextBlock
from testing.features import features

LABELS = ("LOGO", "赠品", "文案")
SIDE, CELLS, WIDTH = 64, 8, 12

CORNER = Box(0.05, 0.05, 0.35, 0.2)
MIDDLE = Box(0.3, 0.4, 0.7, 0.7)

_MIX = torch.randn(48, WIDTH, generator=torch.Generator().manual_seed(1))


def pattern(number: int) -> Tensor:
    """Return an (8, 8, 3) drawing, the same for the same number."""
    random = torch.Generator().manual_seed(number)
    return (torch.rand(8, 8, 1, generator=random) > 0.5).float().expand(8, 8, 3) * 220 + 20


def picture(
    marks: dict[Box, int] | None = None,
    *,
    reads: str = "",
    title: str = "Nova 电水壶",
    industry: str = "家电",
    seed: int = 0,
) -> ItemFeatures:
    """Return a picture with patterns at places, and one line that is read in the first of them."""
    random = torch.Generator().manual_seed(seed)
    thumbnail_HW3 = 190 + 10 * torch.rand(SIDE, SIDE, 3, generator=random)
    for box, number in (marks or {}).items():
        top, bottom, left, right = (round(edge * SIDE) for edge in (box.top, box.bottom, box.left, box.right))
        drawn = functional.interpolate(pattern(number).permute(2, 0, 1)[None], (bottom - top, right - left))[0]
        thumbnail_HW3[top:bottom, left:right] = drawn.permute(1, 2, 0)
    # An encoder of fixed weights: it sees each cell at 4 × 4 pixels.
    small = functional.adaptive_avg_pool2d(thumbnail_HW3.permute(2, 0, 1)[None], 4 * CELLS)
    cells_RP = functional.unfold(small - 190, 4, stride=4)[0].T / 50
    place = next(iter(marks or {}), CORNER)
    blocks = [TextBlock(place, reads, 0.9)] if reads else []
    return features(
        *blocks,
        title=title,
        industry=(industry,),
        grid_RC=(cells_RP @ _MIX).half(),
        thumbnail_HW3=thumbnail_HW3.round().to(torch.uint8),
    )


def gold(**boxes: Box) -> Gold:
    """Return gold with one rectangle for each label: ``gold(LOGO=CORNER)``."""
    return Gold(frozenset(boxes), tuple(LabelledBox(label, box) for label, box in boxes.items()))

"""Statistics of the read blocks of one item: what the whole page says beside each single block.

Shape suffixes: B blocks, D statistics, F cues.
"""

import torch
from torch import Tensor

from model.features.item import ItemFeatures
from model.lexicon.cues import CueSet

STATISTICS = 11
"""Statistics of an item besides those of its cues."""


def block_statistics(item: ItemFeatures, cues: CueSet) -> Tensor:
    """Return statistics (STATISTICS + F,) of an item's read blocks: their number, sizes, places and characters.

    The last F are the height of the tallest block that each cue fires on. All are logarithms, from 0 to about 6.
    """
    boxes = [block.box for block in item.blocks_on_screens]
    text = "".join(block.text for block in item.blocks)
    top = [box for box in boxes if box.top < 0.2]
    digits = [sum(map(str.isdigit, block.text)) * block.box.height for block in item.blocks_on_screens]
    counts = [
        len(boxes),
        len(text),
        sum("\u4e00" <= character <= "\u9fff" for character in text),
        sum(map(str.isdigit, text)),
        sum(character.isascii() and character.isalpha() for character in text),
        len(top),
    ]
    areas = [
        sum(box.area for box in boxes),
        max((box.area for box in boxes), default=0.0),
        max((box.height for box in boxes), default=0.0),
        sum(box.area for box in top),
        max(digits, default=0.0),
    ]
    cue_height_F = torch.zeros(len(cues.cues))
    if boxes:
        height_B1 = torch.tensor([[box.height] for box in boxes], dtype=torch.float32)
        cue_height_F = (cues.block_flags(item) * height_B1).amax(0)
    # Logarithms keep a picture full of text from outweighing all others.
    counts_D = torch.tensor(counts, dtype=torch.float32).log1p()
    areas_D = (10 * torch.tensor(areas, dtype=torch.float32)).log1p()
    return torch.cat([counts_D, areas_D, (10 * cue_height_F).log1p()])

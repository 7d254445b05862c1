"""Copies of one picture: saved again, made smaller, compressed, cut at its edges, or with something laid over it.

Two signs speak for a copy. Cut pictures keep what the encoder sees: the picture's parts of their vectors are very
similar. Pictures with a banner keep their coarse light and dark: few bits of their difference hashes differ (each bit
says whether a cell of a 9 × 8 raster is lighter than its left neighbour; N. Krawetz, "Kind of like that", 2013), while
the encoder still sees much the same.

Shape suffixes: A and B items, P columns of the picture's part.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.features.item import ItemFeatures

ALIKE = 0.85
"""Cosine of two pictures' parts from which they are copies, whatever their hashes."""
ROUGHLY_ALIKE, BITS = 0.65, 8
"""The least cosine of two copies whose hashes differ in at most so many of 64 bits."""
RATHER_ALIKE, MORE_BITS = 0.75, 18
"""The same for pictures that were cut more; half of the 64 bits differ by chance. Chosen on labelled pictures
(docs/results.md)."""
COLUMNS, ROWS = 9, 8
BLOCK = 256
"""Items that are compared with others at a time."""


def picture_hash(item: ItemFeatures) -> int:
    """Return the difference hash of an item's picture, as a signed number of 64 bits; 0 without a picture."""
    if not item.thumbnail_HW3.numel():
        return 0
    picture = Image.fromarray(item.thumbnail_HW3.numpy()).convert("L").resize((COLUMNS, ROWS), Image.Resampling.BOX)
    grey = np.asarray(picture, dtype=np.int16)
    return int(np.packbits(grey[:, 1:] > grey[:, :-1]).view(">i8")[0])


def are_copies(parts_AP: Tensor, hashes_A: Tensor, parts_BP: Tensor, hashes_B: Tensor) -> Tensor:
    """Return (A, B): whether two pictures are copies of one.

    The parts are of unit length, or zero for an item without a picture, which is a copy of nothing; hashes are int64.
    """
    cosine_AB = parts_AP @ parts_BP.T
    differing = np.bitwise_xor.outer(hashes_A.numpy().view(np.uint64), hashes_B.numpy().view(np.uint64))
    bits_AB = torch.from_numpy(np.bitwise_count(differing))
    rather_AB = (cosine_AB >= RATHER_ALIKE) & (bits_AB <= MORE_BITS)
    return (cosine_AB >= ALIKE) | ((cosine_AB >= ROUGHLY_ALIKE) & (bits_AB <= BITS)) | rather_AB


def grouped(parts_AP: Tensor, hashes_A: Tensor) -> list[int]:
    """Return for each item, in order, the first item that it is a copy of; its own place if there is none before.

    Only items that are copies of none before lead others. BLOCK items at a time are compared with those, so the memory
    that it takes grows with the items, and not with their pairs.
    """
    firsts: list[int] = []
    leads: list[int] = []
    for start in range(0, len(parts_AP), BLOCK):
        parts_BP, hashes_B = parts_AP[start : start + BLOCK], hashes_A[start : start + BLOCK]
        known_BL = are_copies(parts_BP, hashes_B, parts_AP[leads], hashes_A[leads]).numpy()
        own_BB = are_copies(parts_BP, hashes_B, parts_BP, hashes_B).numpy()
        leads_B = np.zeros(len(parts_BP), dtype=bool)
        for place, (of_L, of_B) in enumerate(zip(known_BL, own_BB, strict=True)):
            if of_L.any():
                firsts.append(leads[int(of_L.argmax())])
            else:
                among_B = of_B & leads_B
                leads_B[place] = not among_B.any()
                firsts.append(start + (place if leads_B[place] else int(among_B.argmax())))
        leads += [start + int(place) for place in leads_B.nonzero()[0]]
    return firsts

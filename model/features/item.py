"""Frozen encoder features of one item, computed once and shared by prediction, propagation and training.

Shape suffixes: R grid cells (rows × columns), C image width, T text tokens (title first, then read blocks),
E text width, L industry levels.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.items import TextBlock

FORMAT = 1  # of what is computed and how it is stored; a new number is a new space


def _no_levels() -> Tensor:
    return torch.zeros(0, 0, dtype=torch.float16)


@dataclass(frozen=True)
class ItemFeatures:
    """Features of one item. A missing modality has zero rows (R = 0, T = 0) and zero pooled vectors.

    ``token_block_T`` names the read block of each token (-1: the title), so that a token's place is its block's box.
    ``thumbnail_HW3`` is a uint8 RGB picture of at most 128 px on its long side (colour and saliency need pixels).
    ``texts`` are the item's further texts by field, ``texts_E`` their pooled vectors.
    """

    size: tuple[int, int]  # width, height in pixels of the upright picture; (0, 0) without one
    grid_RC: Tensor  # float16
    grid_shape: tuple[int, int]  # rows, columns
    image_C: Tensor  # float16, pooled
    tokens_TE: Tensor  # float16
    token_block_T: Tensor  # int16
    title_E: Tensor  # float16, mean of the title's tokens
    reading_E: Tensor  # float16, mean of all read text
    blocks: tuple[TextBlock, ...]
    thumbnail_HW3: Tensor  # uint8
    title: str
    industry: tuple[str, ...]
    industry_LE: Tensor = field(default_factory=_no_levels)  # float16, the levels' own text embeddings
    texts: dict[str, str] = field(default_factory=dict)
    texts_E: dict[str, Tensor] = field(default_factory=dict)  # float16

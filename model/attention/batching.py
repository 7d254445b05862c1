"""Features of many items as padded tensors, ready for the network.

Text is a sequence of segments: the title is one, and each read block is one (the mean of its tokens), because places
and cues belong to blocks. The picture is a coarse grid of regions. Industry is, for each level, the row of its value in
the vocabulary and the value's own embedding.

Shape suffixes: N items, T segments, E text width, G geometry, F cue flags, R regions, C image width, L industry levels,
X further text fields, P statistics of all read blocks together (the page).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from model.attention.reduction import Reduction
from model.attention.vocabulary import UNSEEN, Vocabulary
from model.features.item import ItemFeatures
from model.items import TextBlock
from model.lexicon.blocks import STATISTICS, block_statistics
from model.lexicon.cues import CueSet

# The most segments of an item, with the title.
SEGMENTS = 24
# Rows and columns of regions.
GRID = 7
# Numbers that describe the place and form of a segment.
GEOMETRY = 8


@dataclass(frozen=True)
class Batch:
    """Padded inputs of the network.

    A mask is True where an entry is not padding; the mask of an item without a picture, or without text, is all False.
    ``batch[rows]`` are the inputs of some items.
    """

    segment_NTE: Tensor
    geometry_NTG: Tensor
    flag_NTF: Tensor
    segment_mask_NT: Tensor
    region_NRC: Tensor
    region_mask_NR: Tensor
    level_NL: Tensor
    level_NLE: Tensor
    level_mask_NL: Tensor
    field_NXE: Tensor
    field_mask_NX: Tensor
    page_NP: Tensor
    page_mask_N1: Tensor

    def __len__(self) -> int:
        return len(self.segment_NTE)

    def __getitem__(self, rows: Tensor) -> "Batch":
        return Batch(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on this device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))

    def floats(self) -> "Batch":
        """Return the batch in single precision, as the network needs it, without segments that all items pad."""
        longest = max(1, int(self.segment_mask_NT.sum(1).amax()) + 1)
        trimmed = replace(
            self,
            segment_NTE=self.segment_NTE[:, :longest],
            geometry_NTG=self.geometry_NTG[:, :longest],
            flag_NTF=self.flag_NTF[:, :longest],
            segment_mask_NT=self.segment_mask_NT[:, :longest],
        )
        tensors = (getattr(trimmed, field.name) for field in fields(self))
        return Batch(*(tensor.float() if tensor.is_floating_point() else tensor for tensor in tensors))


def collate(items: Sequence[ItemFeatures], cues: CueSet, reduction: Reduction, vocabulary: Vocabulary) -> Batch:
    """Return the inputs of these items, padded to the longest one, in half precision.

    ``cues`` give the flags of the segments, ``reduction`` the components of the features, ``vocabulary`` the rows of
    the industry values and the further text fields.
    """
    segment_NTE, geometry_NTG, flag_NTF, segment_mask_NT = _segments(items, cues, reduction)
    level_NL, level_NLE, level_mask_NL = _levels(items, reduction, vocabulary)
    region_NRC = torch.zeros(len(items), GRID * GRID, reduction.image_CP.shape[1], dtype=torch.float16)
    region_mask_NR = torch.zeros(len(items), GRID * GRID, dtype=torch.bool)
    field_NXE = torch.zeros(len(items), len(vocabulary.fields), reduction.text_EP.shape[1], dtype=torch.float16)
    field_mask_NX = torch.zeros(len(items), len(vocabulary.fields), dtype=torch.bool)
    page_NP = torch.zeros(len(items), STATISTICS + len(cues.cues), dtype=torch.float16)
    page_mask_N1 = torch.zeros(len(items), 1, dtype=torch.bool)
    for n, item in enumerate(items):
        if item.grid_RC.numel():
            map_1CHW = item.grid_RC.float().T.reshape(1, -1, *item.grid_shape)
            region_NRC[n] = region_components(map_1CHW, reduction)[0].half()
            region_mask_NR[n] = True
            page_NP[n] = block_statistics(item, cues)
            page_mask_N1[n] = True
        for x, name in enumerate(vocabulary.fields):
            if item.texts.get(name, "").strip():
                field_NXE[n, x] = reduction.segments(normalize(item.texts_E[name].float(), dim=0)).half()
                field_mask_NX[n, x] = True
    return Batch(
        segment_NTE=segment_NTE,
        geometry_NTG=geometry_NTG,
        flag_NTF=flag_NTF,
        segment_mask_NT=segment_mask_NT,
        region_NRC=region_NRC,
        region_mask_NR=region_mask_NR,
        level_NL=level_NL,
        level_NLE=level_NLE,
        level_mask_NL=level_mask_NL,
        field_NXE=field_NXE,
        field_mask_NX=field_mask_NX,
        page_NP=page_NP,
        page_mask_N1=page_mask_N1,
    )


def kept_blocks(item: ItemFeatures) -> list[int]:
    """Return the numbers of the blocks that become segments, in order: the largest blocks of an item with too many."""
    order = sorted(range(len(item.blocks)), key=lambda b: -item.blocks[b].box.area)
    return sorted(order[: SEGMENTS - 1])


def _segments(
    items: Sequence[ItemFeatures], cues: CueSet, reduction: Reduction
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return components, geometry, cue flags and mask of the segments; the title is segment 0, even if it is empty."""
    blocks = [kept_blocks(item) for item in items]
    shape = len(items), max((1 + len(kept) for kept in blocks), default=1)
    segment_NTE = torch.zeros(*shape, reduction.text_EP.shape[1], dtype=torch.float16)
    geometry_NTG = torch.zeros(*shape, GEOMETRY, dtype=torch.float16)
    flag_NTF = torch.zeros(*shape, len(cues.cues), dtype=torch.float16)
    mask_NT = torch.zeros(*shape, dtype=torch.bool)
    for n, (item, kept) in enumerate(zip(items, blocks, strict=True)):
        mask_NT[n, 0] = bool(item.title)
        segment_NTE[n, 0] = reduction.segments(normalize(item.title_E.float(), dim=0))
        # The last number of the geometry marks the title, which has no place.
        geometry_NTG[n, 0, -1] = 1.0
        if kept:
            sums_BE = torch.zeros(len(item.blocks), item.title_E.shape[0])
            inside_T = (item.token_block_T >= 0) & (item.token_block_T < len(item.blocks))
            sums_BE.index_add_(0, item.token_block_T[inside_T].long(), item.tokens_TE[inside_T].float())
            rows = slice(1, 1 + len(kept))
            segment_NTE[n, rows] = reduction.segments(normalize(sums_BE[kept], dim=1))
            geometry_NTG[n, rows] = torch.tensor([_geometry(item.blocks[b]) for b in kept])
            flag_NTF[n, rows] = cues.block_flags(item)[kept]
            mask_NT[n, rows] = True
    return segment_NTE, geometry_NTG, flag_NTF, mask_NT


def _geometry(block: TextBlock) -> list[float]:
    """Return place, size, length and shares of digits and Chinese of a block, each of about unit size."""
    box, characters = block.box, len(block.text)
    centre_x, centre_y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    digits = sum(character.isdigit() for character in block.text)
    return [
        2 * centre_x - 1,
        2 * centre_y - 1,
        4 * box.width - 1,
        10 * box.height - 1,
        characters / 10 - 0.5,
        digits / max(characters, 1),
        sum("\u4e00" <= character <= "\u9fff" for character in block.text) / max(characters, 1),
        0.0,
    ]


def region_components(map_NCHW: Tensor, reduction: Reduction) -> Tensor:
    """Return the components (N, R, C) of feature maps of any size."""
    pooled_NRC = adaptive_avg_pool2d(map_NCHW, GRID).flatten(2).transpose(1, 2)
    return reduction.regions(normalize(pooled_NRC, dim=2))


def _levels(
    items: Sequence[ItemFeatures], reduction: Reduction, vocabulary: Vocabulary
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows in the vocabulary, components of the values' embeddings, and mask of the industry levels."""
    levels = max((len(item.industry) for item in items), default=0)
    row_NL = torch.full((len(items), levels), UNSEEN)
    value_NLE = torch.zeros(len(items), levels, reduction.text_EP.shape[1], dtype=torch.float16)
    mask_NL = torch.zeros(len(items), levels, dtype=torch.bool)
    for n, item in enumerate(items):
        row_NL[n, : len(item.industry)] = torch.tensor(vocabulary.rows(item.industry), dtype=torch.int64)
        mask_NL[n, : len(item.industry)] = torch.tensor([bool(value) for value in item.industry], dtype=torch.bool)
        if item.industry_LE.numel():
            value_NLE[n, : len(item.industry)] = reduction.segments(normalize(item.industry_LE.float(), dim=1)).half()
    return row_NL, value_NLE, mask_NL

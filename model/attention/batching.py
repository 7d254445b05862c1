"""Features of many items as padded tensors, ready for the network.

Text comes as segments: the title is one, each read block is one (the mean of its tokens), since a block is what
carries a place and what a cue speaks of. The picture comes as a coarse grid of regions. Industry comes as the row of
each level's value in the vocabulary beside the value's own embedding.

Shape suffixes: N items, T segments, E text width, G geometry, F cue flags, R regions, C image width, L industry levels,
X further text fields.
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
from model.lexicon.cues import CueSet

SEGMENTS = 24
GRID = 7
GEOMETRY = 8


@dataclass(frozen=True)
class Batch:
    """Padded inputs. Masks are True where something is; an item without picture or text has a row of False."""

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

    def __len__(self) -> int:
        return len(self.segment_NTE)

    def __getitem__(self, rows: Tensor) -> "Batch":
        return Batch(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to(self, device: torch.device) -> "Batch":
        """All of it on this device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))

    def floats(self) -> "Batch":
        """Single precision, as the network computes (the pool is kept in half), without columns that all of it pads."""
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
    """Pad to the longest item of these."""
    blocks = [kept_blocks(item) for item in items]
    longest = max((1 + len(kept) for kept in blocks), default=1)
    rows = [_segments(item, kept, cues, reduction, longest) for item, kept in zip(items, blocks, strict=True)]
    regions_NRC = torch.stack([_regions(item, reduction) for item in items])
    pictures_N1 = torch.tensor([item.grid_RC.numel() > 0 for item in items])[:, None]
    return Batch(
        torch.stack([row[0] for row in rows]),
        torch.stack([row[1] for row in rows]),
        torch.stack([row[2] for row in rows]),
        torch.stack([row[3] for row in rows]),
        regions_NRC,
        pictures_N1.expand(-1, GRID * GRID).clone(),
        *_levels(items, reduction, vocabulary),
        *_fields(items, reduction, vocabulary),
    )


def kept_blocks(item: ItemFeatures) -> list[int]:
    """The blocks that become segments: the largest ones where there are too many."""
    order = sorted(range(len(item.blocks)), key=lambda b: -item.blocks[b].box.area)
    return sorted(order[: SEGMENTS - 1])


def _segments(
    item: ItemFeatures, kept: list[int], cues: CueSet, reduction: Reduction, longest: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    segment_TE = torch.zeros(longest, reduction.text_EP.shape[1], dtype=torch.float16)
    geometry_TG = torch.zeros(longest, GEOMETRY, dtype=torch.float16)
    flag_TF = torch.zeros(longest, len(cues.cues), dtype=torch.float16)
    mask_T = torch.zeros(longest, dtype=torch.bool)
    mask_T[0] = bool(item.title)
    segment_TE[0] = reduction.segments(normalize(item.title_E.float(), dim=0))
    geometry_TG[0, -1] = 1.0
    if kept:
        end = 1 + len(kept)
        segment_TE[1:end] = reduction.segments(_block_means(item, kept))
        geometry_TG[1:end] = torch.tensor([_geometry(item.blocks[b]) for b in kept])
        flag_TF[1:end] = cues.block_flags(item)[kept]
        mask_T[1:end] = True
    return segment_TE, geometry_TG, flag_TF, mask_T


def _block_means(item: ItemFeatures, kept: list[int]) -> Tensor:
    """(len(kept), E) unit mean of each block's tokens."""
    sums_BE = torch.zeros(len(item.blocks), item.title_E.shape[0])
    inside_T = (item.token_block_T >= 0) & (item.token_block_T < len(item.blocks))
    sums_BE.index_add_(0, item.token_block_T[inside_T].long(), item.tokens_TE[inside_T].float())
    return normalize(sums_BE[kept], dim=1)


def _geometry(block: TextBlock) -> list[float]:
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


def _regions(item: ItemFeatures, reduction: Reduction) -> Tensor:
    """(R, C) components of the grid at GRID × GRID."""
    if not item.grid_RC.numel():
        return torch.zeros(GRID * GRID, reduction.image_CP.shape[1], dtype=torch.float16)
    map_1CRR = item.grid_RC.float().T.reshape(1, -1, *item.grid_shape)
    return region_components(map_1CRR, reduction)[0].half()


def region_components(map_NCHW: Tensor, reduction: Reduction) -> Tensor:
    """(N, R, C) components of feature maps of any size."""
    pooled_NRC = adaptive_avg_pool2d(map_NCHW, GRID).flatten(2).transpose(1, 2)
    return reduction.regions(normalize(pooled_NRC, dim=2))


def _levels(
    items: Sequence[ItemFeatures], reduction: Reduction, vocabulary: Vocabulary
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows in the vocabulary, components of the values' embeddings, and which levels are there."""
    levels = max((len(item.industry) for item in items), default=0)
    row_NL = torch.full((len(items), levels), UNSEEN)
    value_NLE = torch.zeros(len(items), levels, reduction.text_EP.shape[1], dtype=torch.float16)
    there_NL = torch.zeros(len(items), levels, dtype=torch.bool)
    for n, item in enumerate(items):
        row_NL[n, : len(item.industry)] = torch.tensor(vocabulary.rows(item.industry), dtype=torch.int64)
        there_NL[n, : len(item.industry)] = torch.tensor([bool(value) for value in item.industry], dtype=torch.bool)
        if item.industry_LE.numel():
            value_NLE[n, : len(item.industry)] = reduction.segments(normalize(item.industry_LE.float(), dim=1)).half()
    return row_NL, value_NLE, there_NL


def _fields(items: Sequence[ItemFeatures], reduction: Reduction, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Components of the further texts' embeddings, and which fields are there."""
    text_NXE = torch.zeros(len(items), len(vocabulary.fields), reduction.text_EP.shape[1], dtype=torch.float16)
    there_NX = torch.zeros(len(items), len(vocabulary.fields), dtype=torch.bool)
    for n, item in enumerate(items):
        for x, name in enumerate(vocabulary.fields):
            if item.texts.get(name, "").strip():
                text_NXE[n, x] = reduction.segments(normalize(item.texts_E[name].float(), dim=0)).half()
                there_NX[n, x] = True
    return text_NXE, there_NX

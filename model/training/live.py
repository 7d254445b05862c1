"""Batches whose regions and segments come from encoders under training instead of cached features.

Encoders train at rest, as they serve: batch normalisation keeps its statistics and nothing is dropped out, so that
before the first step they give what was cached, but for the augmentation.

Shape suffixes: B batch, N pictures or texts, T tokens, E text width, C image width.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from model.attention.batching import Batch, kept_blocks, region_components
from model.attention.reduction import Reduction
from model.encoders.grid import GridEncoder
from model.encoders.transformer_text import LONGEST, TransformerTextEncoder
from model.features.item import ItemFeatures
from model.training.augmentation import augmented

Pictures = Callable[[int], Image.Image]
"""The picture of a row of the pool."""
IMAGE, TEXT = "image", "text"


class Live:
    """Copies of the given encoders, the last layers of which learn at ``rate``.

    ``share`` in (0, 1] is how many of an encoder's layers learn, from its output backwards. Titles and read blocks
    are encoded anew; industry and further texts stay as they were cached.
    """

    def __init__(
        self,
        pool: Sequence[ItemFeatures],
        pictures: Pictures,
        reduction: Reduction,
        *,
        images: GridEncoder | None,
        texts: TransformerTextEncoder | None,
        share: float,
        rate: float,
        device: torch.device,
    ) -> None:
        self.pool, self.pictures, self.rate = pool, pictures, rate
        self.images, self.texts = images, texts
        self.reduction = Reduction(*(part.to(device) for part in astuple(reduction)))
        chosen = {IMAGE: images, TEXT: texts}
        copies = {name: copy.deepcopy(encoder.network) for name, encoder in chosen.items() if encoder}
        self.encoders = nn.ModuleDict({name: learning(network, share) for name, network in copies.items()})

    def seen_anew(self, batch: Batch, rows: Tensor) -> Batch:
        """The batch of these rows with what the encoders now make of its pictures and texts; what is hidden from the
        network is not encoded."""
        if self.images:
            batch = self._with_regions(batch, rows, self.images)
        return self._with_segments(batch, rows, self.texts) if self.texts else batch

    def _with_regions(self, batch: Batch, rows: Tensor, encoder: GridEncoder) -> Batch:
        shown_B = batch.region_mask_NR.any(1).cpu()
        if not shown_B.any():
            return batch
        size = encoder.preprocessing.size
        pictures = augmented([self.pictures(row) for row in rows[shown_B].tolist()], size)
        map_NCHW = encoder.maps(self.encoders[IMAGE], pictures)
        region_NRC = batch.region_NRC.clone()
        region_NRC[shown_B.to(region_NRC.device)] = region_components(map_NCHW, self.reduction)
        return replace(batch, region_NRC=region_NRC)

    def _with_segments(self, batch: Batch, rows: Tensor, encoder: TransformerTextEncoder) -> Batch:
        read_B = batch.segment_mask_NT.any(1).tolist()
        wanted = [
            (place, at, text, tokens)
            for place, row in enumerate(rows.tolist())
            if read_B[place]
            for at, text, tokens in _segments(self.pool[row])
        ]
        if not wanted:
            return batch
        places, at, texts, tokens = zip(*wanted, strict=True)
        mean_NE = self._means(encoder, texts, tokens)
        segment_NTE = batch.segment_NTE.clone()
        segment_NTE[list(places), list(at)] = self.reduction.segments(normalize(mean_NE, dim=1))
        return replace(batch, segment_NTE=segment_NTE)

    def _means(self, encoder: TransformerTextEncoder, texts: Sequence[str], tokens: Sequence[int]) -> Tensor:
        """(N, E) mean of each text's first tokens, as many as are asked for, between its start and its end token."""
        distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        states_NTE, length_N = encoder.states(self.encoders[TEXT], list(distinct))
        index_N = torch.tensor([distinct[text] for text in texts], device=length_N.device)
        count_N = torch.tensor(tokens, device=length_N.device).minimum(length_N[index_N] - 2)
        token_T = torch.arange(states_NTE.shape[1], device=length_N.device)
        inside_NT = (token_T >= 1) & (token_T <= count_N[:, None])
        return (states_NTE[index_N] * inside_NT[..., None]).sum(1) / count_N.clamp(min=1)[:, None]


def learning(network: nn.Module, share: float) -> nn.Module:
    """The network with gradients for the last ``share`` of its layers, which are modules with parameters of their own.

    Raises ValueError when the share isn't in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share of {share} of the encoder's layers can't be trained: use one above 0 and up to 1")
    layers = [module for module in network.modules() if list(module.parameters(recurse=False))]
    count = max(1, round(share * len(layers)))
    for layer in layers[-count:]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(True)
    return network


def _segments(item: ItemFeatures) -> list[tuple[int, str, int]]:
    """Where each segment stands in a batch, its text, and how many of its tokens were kept."""
    title = [(0, item.title, LONGEST)] if item.title.strip() else []
    counts = torch.bincount(item.token_block_T[item.token_block_T >= 0].long(), minlength=len(item.blocks)).tolist()
    blocks = [(at, item.blocks[b].text, counts[b]) for at, b in enumerate(kept_blocks(item), start=1)]
    return [*title, *((at, text, count) for at, text, count in blocks if count)]

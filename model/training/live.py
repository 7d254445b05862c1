"""Live batches: regions and segments come from encoders under training instead of cached features.

The encoders are trained in evaluation mode: batch normalisation keeps its statistics, and no value is dropped out. So
before the first step their output equals the cached features, except for the augmentation of the pictures.

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
"""A function from a row of the pool to the row's picture."""
IMAGE, TEXT = "image", "text"


class Live:
    """Copies of encoders, whose last layers are trained, and batches that are encoded by them.

    Pictures, titles and read blocks are encoded anew. Industry and further texts keep their cached features.

    Args:
        pool: features of all items.
        pictures: the pictures of the items.
        reduction: the principal components that make the network's inputs.
        images, texts: the encoders to copy; None keeps the cached features.
        share: the share in (0, 1] of an encoder's layers that are trained, from its output backwards.
        rate: the learning rate of the encoders.
        device: the device that the network is trained on.
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
        # A copy of the networks that torchvision traces comes in training mode.
        copies = {name: copy.deepcopy(encoder.network).eval() for name, encoder in chosen.items() if encoder}
        self.encoders = nn.ModuleDict({name: learning(network, share) for name, network in copies.items()})

    def seen_anew(self, batch: Batch, rows: Tensor) -> Batch:
        """Return the batch of these rows with regions and segments that the encoders compute now.

        What `modality_dropout` has hidden from the network is not encoded.
        """
        shown_B = batch.region_mask_NR.any(1).cpu()
        if self.images and shown_B.any():
            size = self.images.preprocessing.size
            pictures = augmented([self.pictures(row) for row in rows[shown_B].tolist()], size)
            map_NCHW = self.images.maps(self.encoders[IMAGE], pictures)
            # A copy, so that the given batch does not change.
            region_NRC = batch.region_NRC.clone()
            region_NRC[shown_B.to(region_NRC.device)] = region_components(map_NCHW, self.reduction)
            batch = replace(batch, region_NRC=region_NRC)
        return self._with_segments(batch, rows, self.texts) if self.texts else batch

    def _with_segments(self, batch: Batch, rows: Tensor, encoder: TransformerTextEncoder) -> Batch:
        """Return the batch with the title and the read blocks encoded anew."""
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
        """Return the (N, E) mean of the first ``tokens`` tokens of each text, without its start and end tokens."""
        # Many items share a text, which is then encoded once.
        distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        states_NTE, length_N = encoder.states(self.encoders[TEXT], list(distinct))
        index_N = torch.tensor([distinct[text] for text in texts], device=length_N.device)
        count_N = torch.tensor(tokens, device=length_N.device).minimum(length_N[index_N] - 2)
        token_T = torch.arange(states_NTE.shape[1], device=length_N.device)
        inside_NT = (token_T >= 1) & (token_T <= count_N[:, None])
        return (states_NTE[index_N] * inside_NT[..., None]).sum(1) / count_N.clamp(min=1)[:, None]


def learning(network: nn.Module, share: float) -> nn.Module:
    """Return the network with gradients for the last ``share`` of its layers, at least for one.

    A layer is a module that has parameters itself, not only in its children. Raises ValueError if the share is not in
    (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share of {share} of the encoder's layers can't be trained: use one above 0 and up to 1")
    # Modules are listed from input to output.
    layers = [module for module in network.modules() if list(module.parameters(recurse=False))]
    count = max(1, round(share * len(layers)))
    for layer in layers[-count:]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(True)
    return network


def _segments(item: ItemFeatures) -> list[tuple[int, str, int]]:
    """Return each segment's place in a batch, its text, and how many of its tokens have cached features."""
    title = [(0, item.title, LONGEST)] if item.title.strip() else []
    counts = torch.bincount(item.token_block_T[item.token_block_T >= 0].long(), minlength=len(item.blocks)).tolist()
    blocks = [(at, item.blocks[b].text, counts[b]) for at, b in enumerate(kept_blocks(item), start=1)]
    return [*title, *((at, text, count) for at, text, count in blocks if count)]

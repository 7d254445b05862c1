"""From items to features: the picture is read and encoded; title, read text, industry and further texts are encoded.

Shape suffixes as in ``model.features.item``; N pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.encoders import fingerprints
from model.encoders.catalogue import image_encoder, text_encoder
from model.encoders.protocols import EncodedText, ImageEncoder, TextEncoder
from model.features.item import FORMAT, ItemFeatures
from model.items import Item, TextBlock
from model.reading.reader import Reader
from tagloom_base.settings import EncoderSettings

TITLE_TOKENS = 48  # a title's first tokens, [CLS] among them; shop titles hold 30 to 60 characters
READ_TOKENS = 96  # tokens of all read text of one picture, the largest print first
THUMBNAIL_SIDE = 128  # px
BATCH = 32  # items; bounds the memory that pictures and grids take


@dataclass(frozen=True)
class _Seen:
    """What the picture gives; of an item without one, nothing."""

    grid_RC: Tensor
    grid_shape: tuple[int, int]
    image_C: Tensor
    blocks: tuple[TextBlock, ...]


class FeatureExtractor:
    """Computes features of items. The reader starts at the first picture. May be called from several threads."""

    def __init__(self, images: ImageEncoder, texts: TextEncoder, reader: Reader) -> None:
        self._images = images
        self._texts = texts
        self._reader = reader
        self.space = fingerprints.of_words(
            FORMAT, images.fingerprint, texts.fingerprint, reader.version, TITLE_TOKENS, READ_TOKENS
        )

    @classmethod
    def from_names(
        cls, image_name: str, text_name: str, *, device: str = "cpu", reader_threads: int = 0
    ) -> "FeatureExtractor":
        """Encoders by their names in ``model.encoders.catalogue``; ValueError names the fix when one cannot be had."""
        return cls(image_encoder(image_name, device), text_encoder(text_name, device), Reader(reader_threads))

    def describe(self) -> dict[str, str]:
        """What is live, in plain words, by modality."""
        return {"image": self._images.describe(), "text": self._texts.describe(), "reader": self._reader.describe()}

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        """Features of each item, in order; what they are does not depend on the other items."""
        starts = range(0, len(items), BATCH)
        return [found for start in starts for found in self._extract(items[start : start + BATCH])]

    def _extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        seen = self._see(items)
        texts = [text for item, picture in zip(items, seen, strict=True) for text in _texts_of(item, picture.blocks)]
        encoded = dict(zip(texts, self._texts.encode(texts), strict=True))
        return [self._assemble(item, picture, encoded) for item, picture in zip(items, seen, strict=True)]

    def _see(self, items: Sequence[Item]) -> list[_Seen]:
        pictures = [item.image for item in items if item.image is not None]
        grid_NRC, image_NC = self._images.encode(pictures)
        shape = self._images.grid_shape
        found = iter(
            [
                _Seen(grid_RC, shape, image_C, blocks)
                for grid_RC, image_C, blocks in zip(grid_NRC, image_NC, self._reader.read(pictures), strict=True)
            ]
        )
        width = self._images.width
        nothing = _Seen(torch.zeros(0, width), (0, 0), torch.zeros(width), ())
        return [nothing if item.image is None else next(found) for item in items]

    def _assemble(self, item: Item, seen: _Seen, encoded: Mapping[str, EncodedText]) -> ItemFeatures:
        tokens_TE, token_block_T = _tokens(encoded[item.title], seen.blocks, encoded)
        levels = [encoded[level].pooled_E for level in item.industry]
        return ItemFeatures(
            size=item.size,
            grid_RC=seen.grid_RC.half(),
            grid_shape=seen.grid_shape,
            image_C=seen.image_C.half(),
            tokens_TE=tokens_TE.half(),
            token_block_T=token_block_T,
            title_E=encoded[item.title].pooled_E.half(),
            reading_E=_mean_of_tokens([encoded[block.text] for block in seen.blocks], self._texts.width).half(),
            blocks=seen.blocks,
            thumbnail_HW3=_thumbnail(item.image),
            title=item.title,
            industry=item.industry,
            industry_LE=(torch.stack(levels) if levels else torch.zeros(0, self._texts.width)).half(),
            texts=dict(item.texts),
            texts_E={name: encoded[text].pooled_E.half() for name, text in item.texts.items()},
        )


def _texts_of(item: Item, blocks: Sequence[TextBlock]) -> list[str]:
    return [item.title, *item.industry, *item.texts.values(), *(block.text for block in blocks)]


def _tokens(
    title: EncodedText, blocks: Sequence[TextBlock], encoded: Mapping[str, EncodedText]
) -> tuple[Tensor, Tensor]:
    """The title's tokens, then those of the read blocks without their start tokens, and the block of each token."""
    parts_TE = [title.tokens_TE[:TITLE_TOKENS]]
    owners = [-1] * len(parts_TE[0])
    for number, count in sorted(_shares(blocks, encoded).items()):
        parts_TE.append(encoded[blocks[number].text].tokens_TE[1 : 1 + count])
        owners += [number] * count
    return torch.cat(parts_TE), torch.tensor(owners, dtype=torch.int16)


def _shares(blocks: Sequence[TextBlock], encoded: Mapping[str, EncodedText]) -> dict[int, int]:
    """How many tokens of each block are kept: all until READ_TOKENS are spent, the tallest print first."""
    shares: dict[int, int] = {}
    left = READ_TOKENS
    for number in sorted(range(len(blocks)), key=lambda number: -round(blocks[number].box.height, 2)):
        shares[number] = min(left, max(len(encoded[blocks[number].text].tokens_TE) - 1, 0))
        left -= shares[number]
    return shares


def _mean_of_tokens(texts: Sequence[EncodedText], width: int) -> Tensor:
    """The mean over all tokens of all texts."""
    counts = [max(len(text.tokens_TE) - 1, 0) for text in texts]
    total_E = sum((text.pooled_E * count for text, count in zip(texts, counts, strict=True)), torch.zeros(width))
    return total_E / max(sum(counts), 1)


def _thumbnail(image: Image.Image | None) -> Tensor:
    if image is None:
        return torch.zeros(0, 0, 3, dtype=torch.uint8)
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return torch.from_numpy(np.array(small))


def open_extractor(encoders: EncoderSettings) -> FeatureExtractor:
    """Open the encoders that the settings name, on their device. ValueError names the fix when one cannot be had."""
    return FeatureExtractor.from_names(encoders.image_encoder, encoders.text_encoder, device=encoders.device)

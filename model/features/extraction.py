"""Compute features of items: read and encode the picture, and encode title, read text, industry and further texts.

Shape suffixes as in ``model.features.item``; N pictures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from model.encoders import fingerprints
from model.encoders.catalogue import image_encoder, text_encoder
from model.encoders.protocols import EncodedText, ImageEncoder, TextEncoder
from model.features.item import FORMAT, ItemFeatures
from model.items import Item, TextBlock, is_long, squares_of
from model.reading.reader import Reader, Reading
from tagloom_base.groups import EncoderSettings

# The most tokens of a title that are kept, [CLS] included; titles of shops have 30 to 60 characters.
TITLE_TOKENS = 48
# The most tokens of the read text of a picture that are kept, those of the largest print first.
READ_TOKENS = 96
# Pixels of a thumbnail's long side; of a long picture's short side at most, and its pixels at most.
THUMBNAIL_SIDE = 128
LONG_THUMBNAIL = 4 * THUMBNAIL_SIDE**2
# Items that are encoded at a time, which limits the memory of pictures and grids.
BATCH = 32


@dataclass(frozen=True)
class _Seen:
    """Features of one picture and its read blocks; empty for an item without a picture."""

    grid_RC: Tensor
    grid_shape: tuple[int, int]
    image_C: Tensor
    reading: Reading


class FeatureExtractor:
    """Computes features of items; safe to call from several threads. The reader is loaded with the first picture.

    ``space`` is the fingerprint of encoders, reader and format: only features of one space can be compared.

        extractor = FeatureExtractor.from_names("shipped", "shipped")
        features = extractor.extract([Item(image, title="连衣裙")])
    """

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
        """Return an extractor with the encoders of these names (``model.encoders.catalogue``).

        Raises ValueError with advice where an encoder is unknown or its weights cannot be loaded.
        """
        return cls(image_encoder(image_name, device), text_encoder(text_name, device), Reader(reader_threads))

    def describe(self) -> dict[str, str]:
        """Return descriptions of the encoders and of the reader in plain words."""
        return {"image": self._images.describe(), "text": self._texts.describe(), "reader": self._reader.describe()}

    def extract(self, items: Sequence[Item]) -> list[ItemFeatures]:
        """Return the features of each item, in order; they do not depend on the other items."""
        features: list[ItemFeatures] = []
        shape, width = self._images.grid_shape, self._images.width
        nothing = _Seen(torch.zeros(0, width), (0, 0), torch.zeros(width), Reading(()))
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            pictures = [item.image for item in batch if item.image is not None]
            rows = zip(*self._encode(pictures), self._reader.read(pictures), strict=True)
            found = iter([_Seen(grid_RC, shape, image_C, reading) for grid_RC, image_C, reading in rows])
            seen = [nothing if item.image is None else next(found) for item in batch]
            texts = [
                text
                for item, picture in zip(batch, seen, strict=True)
                for text in (
                    item.title, *item.industry, *item.texts.values(), *(block.text for block in picture.reading.blocks)
                )
            ]  # fmt: skip
            encoded = dict(zip(texts, self._texts.encode(texts), strict=True))
            features += [self._assemble(item, picture, encoded) for item, picture in zip(batch, seen, strict=True)]
        return features

    def _encode(self, pictures: Sequence[Image.Image]) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return the grid (R, C) and the pooled vector (C,) of each picture.

        A long picture would be squeezed into a square. So its squares are encoded, and each cell of its grid is the
        mean of what they show in the cell's part of the picture.
        """
        usual = [picture for picture in pictures if not is_long(picture.size)]
        grid_NRC, image_NC = self._images.encode(usual)
        if len(usual) == len(pictures):
            return list(grid_NRC), list(image_NC)
        as_usual = iter(zip(grid_NRC, image_NC, strict=True))
        seen = [self._in_squares(picture) if is_long(picture.size) else next(as_usual) for picture in pictures]
        return [grid_RC for grid_RC, _ in seen], [image_C for _, image_C in seen]

    def _in_squares(self, picture: Image.Image) -> tuple[Tensor, Tensor]:
        parts = [picture.crop(box) for box in squares_of(picture.size)]
        grid_PRC, image_PC = self._images.encode(parts)
        rows, columns = self._images.grid_shape
        # One map of all squares, one after another.
        map_PRKC = grid_PRC.reshape(len(parts), rows, columns, -1)
        joined = torch.cat(list(map_PRKC), dim=0 if picture.height > picture.width else 1).permute(2, 0, 1)
        pooled_CRK = functional.adaptive_avg_pool2d(joined[None], (rows, columns))[0]
        return pooled_CRK.flatten(1).T.contiguous(), image_PC.mean(0)

    def _assemble(self, item: Item, seen: _Seen, encoded: Mapping[str, EncodedText]) -> ItemFeatures:
        """Return the features of one item from its picture's features and the encoded texts."""
        blocks = seen.reading.blocks
        tokens_TE, token_block_T = _tokens(encoded[item.title], blocks, encoded, _line_unit(item.size))
        levels = [encoded[level].pooled_E for level in item.industry]
        reading = [encoded[block.text] for block in blocks]
        # The mean over all tokens of all blocks; the start token of each text does not count.
        counts = [max(len(text.tokens_TE) - 1, 0) for text in reading]
        total_E = sum(
            (text.pooled_E * count for text, count in zip(reading, counts, strict=True)), torch.zeros(self._texts.width)
        )
        thumbnail_HW3 = torch.zeros(0, 0, 3, dtype=torch.uint8)
        if item.image is not None:
            small = item.image.convert("RGB")
            small.thumbnail(_thumbnail_size(small.size))
            thumbnail_HW3 = torch.from_numpy(np.array(small))
        return ItemFeatures(
            size=item.size,
            grid_RC=seen.grid_RC.half(),
            grid_shape=seen.grid_shape,
            image_C=seen.image_C.half(),
            tokens_TE=tokens_TE.half(),
            token_block_T=token_block_T,
            title_E=encoded[item.title].pooled_E.half(),
            reading_E=(total_E / max(sum(counts), 1)).half(),
            blocks=blocks,
            thumbnail_HW3=thumbnail_HW3,
            title=item.title,
            industry=item.industry,
            industry_LE=(torch.stack(levels) if levels else torch.zeros(0, self._texts.width)).half(),
            texts=dict(item.texts),
            texts_E={name: encoded[text].pooled_E.half() for name, text in item.texts.items()},
            notes=(*item.notes, *seen.reading.notes),
        )


def _thumbnail_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the largest width and height of the thumbnail of a picture of this size."""
    if not is_long(size):
        return THUMBNAIL_SIDE, THUMBNAIL_SIDE
    scale = min(THUMBNAIL_SIDE / min(size), math.sqrt(LONG_THUMBNAIL / math.prod(size)))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _line_unit(size: tuple[int, int]) -> float:
    """Return the length in which heights of lines are compared, in picture heights: of a page, its width."""
    return size[0] / size[1] if is_long(size) and size[1] > size[0] else 1.0


def _tokens(
    title: EncodedText, blocks: Sequence[TextBlock], encoded: Mapping[str, EncodedText], unit: float
) -> tuple[Tensor, Tensor]:
    """Return the tokens of the title, then those of the read blocks without start tokens, and the block of each token.

    Blocks keep all their tokens until READ_TOKENS are used up; the tallest print comes first.
    """
    kept: dict[int, int] = {}
    left = READ_TOKENS
    # Heights are rounded, so that lines of about one height keep their order.
    for number in sorted(range(len(blocks)), key=lambda number: -round(blocks[number].box.height / unit, 2)):
        kept[number] = min(left, max(len(encoded[blocks[number].text].tokens_TE) - 1, 0))
        left -= kept[number]
    parts_TE = [title.tokens_TE[:TITLE_TOKENS]]
    owners = [-1] * len(parts_TE[0])
    for number, count in sorted(kept.items()):
        parts_TE.append(encoded[blocks[number].text].tokens_TE[1 : 1 + count])
        owners += [number] * count
    return torch.cat(parts_TE), torch.tensor(owners, dtype=torch.int16)


def open_extractor(encoders: EncoderSettings) -> FeatureExtractor:
    """Load the encoders that the settings name, on their device. Raises ValueError with advice if that fails."""
    return FeatureExtractor.from_names(encoders.image_encoder, encoders.text_encoder, device=encoders.device)

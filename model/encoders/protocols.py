"""The interfaces of picture and text encoders.

Shape suffixes: N items, R grid cells (rows × columns, row by row), C image width, T tokens, E text width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image
from torch import Tensor


class ImageEncoder(Protocol):
    """A frozen encoder that turns a picture into a grid of regions and one pooled vector."""

    @property
    def width(self) -> int:
        """The length C of a region's vector."""

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Rows and columns: cell (r, c) is the part of the picture from (r, c) to (r + 1, c + 1) in units of a cell."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights and preprocessing."""

    def describe(self) -> str:
        """Return the encoder's name and the origin of its weights in plain words."""

    def encode(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Return grids (N, R, C) and pooled vectors (N, C) of upright RGB pictures of any size, float32 on the CPU."""


@dataclass(frozen=True)
class EncodedText:
    """The tokens of a text, start token first, and their mean without the start token (zeros without tokens)."""

    tokens_TE: Tensor
    pooled_E: Tensor


class TextEncoder(Protocol):
    """A frozen encoder that turns a text into vectors of its tokens and one pooled vector."""

    @property
    def width(self) -> int:
        """The length E of a token's vector."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights and vocabulary."""

    def describe(self) -> str:
        """Return the encoder's name and the origin of its weights in plain words."""

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Return tokens and pooled vector of each text, float32 on the CPU; an empty text has no tokens."""

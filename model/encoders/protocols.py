"""What every encoder offers, whatever stands behind it.

Shape suffixes: N items, R grid cells (rows × columns, row by row), C image width, T tokens, E text width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image
from torch import Tensor


class ImageEncoder(Protocol):
    """Turns pictures into a grid of regions and one pooled vector; frozen."""

    @property
    def width(self) -> int:
        """C, the length of a region's vector."""

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Rows and columns: cell (r, c) is the picture's part from (r, c) to (r + 1, c + 1) in units of one cell."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights and preprocessing."""

    def describe(self) -> str:
        """Which encoder this is and where its weights come from, in plain words."""

    def encode(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """grid_NRC and pooled_NC of upright RGB pictures of any size, float32 on the CPU."""


@dataclass(frozen=True)
class EncodedText:
    """One text's tokens, the start token [CLS] first, and their mean without start and end tokens (zero if none)."""

    tokens_TE: Tensor
    pooled_E: Tensor


class TextEncoder(Protocol):
    """Turns texts into tokens and one pooled vector each; frozen."""

    @property
    def width(self) -> int:
        """E, the length of a token's vector."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights and vocabulary."""

    def describe(self) -> str:
        """Which encoder this is and where its weights come from, in plain words."""

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Each text's tokens and pooled vector, float32 on the CPU; an empty text has no tokens."""

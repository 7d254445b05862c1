"""A sentence encoder for tests that must choose what is near."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Axes:
    """Stands in for a sentence encoder where a test must choose what is near: a text's words are its axes."""

    name: str = "axes"

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        axes = ["price", "gift", "brand", "product", "promo"]
        vector_NE = np.array([[float(axis in text) for axis in axes] + [0.01] for text in texts], dtype=np.float32)
        unit_NE: NDArray[np.float32] = vector_NE / np.linalg.norm(vector_NE, axis=1, keepdims=True)
        return unit_NE

"""Features on disk: one file an item, tensors beside strings."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from model.features.folder import TensorFolder
from model.features.item import ItemFeatures
from model.items import Box, TextBlock

TENSORS = (
    "grid_RC", "image_C", "tokens_TE", "token_block_T", "title_E", "reading_E", "thumbnail_HW3", "industry_LE",
)  # fmt: skip
FIELD = "texts_E."  # prefix of the tensors of further text fields


class FeatureCache:
    """Features by item key, in one folder per space. Several processes may share it.

    One whose file cannot be read is a miss, and computed again. Keys are letters and digits (hashes).
    """

    def __init__(self, folder: Path, space: str) -> None:
        self._files = TensorFolder(folder / space, "features")

    def __contains__(self, key: str) -> bool:
        return self.has(key)

    def has(self, key: str) -> bool:
        return self._files.has(key)

    def get(self, key: str) -> ItemFeatures | None:
        return self._files.get(key, _features)

    def put(self, key: str, features: ItemFeatures) -> bool:
        """Keep them; False where the disk refuses them, which is told once. Nothing half-written stays."""
        return self._files.keep(key, *taken_apart(features))


def taken_apart(features: ItemFeatures) -> tuple[dict[str, Tensor], dict[str, str]]:
    """One item's features as tensors and strings: all that a file holds of them."""
    tensors = {name: getattr(features, name) for name in TENSORS}
    tensors |= {FIELD + name: tensor for name, tensor in features.texts_E.items()}
    facts = {
        "size": features.size,
        "grid_shape": features.grid_shape,
        "blocks": [asdict(block) for block in features.blocks],
        "title": features.title,
        "industry": features.industry,
        "texts": features.texts,
    }
    return tensors, {"facts": json.dumps(facts, ensure_ascii=False)}


def _features(tensors: dict[str, Tensor], strings: dict[str, str]) -> ItemFeatures:
    facts = json.loads(strings["facts"])
    texts_E = {name.removeprefix(FIELD): tensors.pop(name) for name in list(tensors) if name.startswith(FIELD)}
    return ItemFeatures(
        **tensors,
        size=tuple(facts["size"]),
        grid_shape=tuple(facts["grid_shape"]),
        blocks=tuple(_block(block) for block in facts["blocks"]),
        title=facts["title"],
        industry=tuple(facts["industry"]),
        texts=facts["texts"],
        texts_E=texts_E,
    )


def _block(facts: dict[str, Any]) -> TextBlock:
    return TextBlock(Box(**facts["box"]), facts["text"], facts["score"])

"""Features on disk: one file for each item, with its tensors and strings."""

import json
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from model.features.folder import TensorFolder
from model.features.item import ItemFeatures
from model.features.said import SILENCE
from model.items import Box, TextBlock, is_long

TENSORS = (
    "grid_RC", "image_C", "tokens_TE", "token_block_T", "title_E", "reading_E", "thumbnail_HW3", "industry_LE",
)  # fmt: skip
# How long pictures are read. Their features of another way are computed again, those of other pictures stay.
LONG_PICTURES = "in tiles 1"
# Prefix of the names of tensors of further text fields.
FIELD = "texts_E."


class FeatureCache:
    """Features by item key, in one folder for each space. Several processes may share the folder.

    A file that cannot be read counts as missing, and its features are computed again. So do features of a long picture
    that an earlier version read as a whole. Keys are letters and digits (hashes).

        cache = FeatureCache(folder, extractor.space)
        features = cache.get(key)
    """

    def __init__(self, folder: Path, space: str) -> None:
        self._files = TensorFolder(folder / space, "features")

    def __contains__(self, key: str) -> bool:
        return self.has(key)

    def has(self, key: str) -> bool:
        return self._files.has(key)

    def get(self, key: str) -> ItemFeatures | None:
        """Return the features of this key; None where they are missing."""
        return self._files.get(key, _features)

    def put(self, key: str, features: ItemFeatures) -> bool:
        """Write the features. Return False if the disk refuses the file, which is logged once.

        An incomplete file is never left behind.
        """
        return self._files.keep(key, *taken_apart(features))


def taken_apart(features: ItemFeatures) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return one item's features as tensors and strings, as a file holds them."""
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
    # Only where there is something to say: the files of all other pictures stay as they were.
    if features.notes:
        facts["notes"] = features.notes
    if is_long(features.size):
        facts["long"] = LONG_PICTURES
    return tensors, {"facts": json.dumps(facts, ensure_ascii=False)}


def _features(tensors: dict[str, Tensor], strings: dict[str, str]) -> ItemFeatures:
    """Make the features again from what ``taken_apart`` returned."""
    facts = json.loads(strings["facts"])
    if is_long(tuple(facts["size"])) and facts.get("long") != LONG_PICTURES:
        raise ValueError("they are those of a long picture that was read as a whole")
    texts_E = {name.removeprefix(FIELD): tensors.pop(name) for name in list(tensors) if name.startswith(FIELD)}
    return ItemFeatures(
        **tensors,
        size=tuple(facts["size"]),
        grid_shape=tuple(facts["grid_shape"]),
        blocks=tuple(TextBlock(Box(**block["box"]), block["text"], block["score"]) for block in facts["blocks"]),
        title=facts["title"],
        industry=tuple(facts["industry"]),
        texts=facts["texts"],
        texts_E=texts_E,
        notes=tuple(facts.get("notes", ())),
        said=SILENCE,
    )

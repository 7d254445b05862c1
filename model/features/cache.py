"""Features on disk: one safetensors file an item, tensors beside strings in its metadata."""

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from model.features.item import ItemFeatures
from model.items import Box, TextBlock

TENSORS = (
    "grid_RC", "image_C", "tokens_TE", "token_block_T", "title_E", "reading_E", "thumbnail_HW3", "industry_LE",
)  # fmt: skip
FIELD = "texts_E."  # prefix of the tensors of further text fields

logger = logging.getLogger(__name__)


class FeatureCache:
    """Features by item key, in one folder per space. Several processes may share it.

    A file appears whole or not at all. One that cannot be read is a miss: it is removed, and the features are computed
    again. Keys are letters and digits (hashes).
    """

    def __init__(self, folder: Path, space: str) -> None:
        self._folder = folder / space

    def __contains__(self, key: str) -> bool:
        return self.has(key)

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def get(self, key: str) -> ItemFeatures | None:
        path = self._path(key)
        try:
            return _read(path)
        except FileNotFoundError:
            return None
        except Exception as error:
            logger.warning("features of %s cannot be read (%s): they are computed again", key, error)
            path.unlink(missing_ok=True)
            return None

    def put(self, key: str, features: ItemFeatures) -> None:
        """Raises OSError when the file cannot be written (disk full); nothing half-written stays."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
            try:
                file.write(to_bytes(features))
                file.close()
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"{key!r} is no item key: letters and digits only")
        return self._folder / key[:2] / f"{key}.safetensors"


def to_bytes(features: ItemFeatures) -> bytes:
    """One item's features as the content of a safetensors file."""
    tensors = {name: getattr(features, name).contiguous() for name in TENSORS}
    tensors |= {FIELD + name: tensor.contiguous() for name, tensor in features.texts_E.items()}
    facts = {
        "size": features.size,
        "grid_shape": features.grid_shape,
        "blocks": [asdict(block) for block in features.blocks],
        "title": features.title,
        "industry": features.industry,
        "texts": features.texts,
    }
    return save(tensors, metadata={"facts": json.dumps(facts, ensure_ascii=False)})


def _read(path: Path) -> ItemFeatures:
    if not path.is_file():
        raise FileNotFoundError(path)
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["facts"])
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
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

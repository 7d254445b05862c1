"""Tensors on disk: one safetensors file for each key, with strings in its metadata."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from safetensors.torch import save
from torch import Tensor

from model.tensor_files import digest, read
from tagloom_base.files import replaced

Made = TypeVar("Made")
# The name of the content's digest among a file's strings; files of earlier versions have no digest.
DIGEST = "digest"

logger = logging.getLogger(__name__)


class TensorFolder:
    """Tensors by key. Several processes may share the folder.

    A file is written completely or not at all. A file that cannot be read, or whose content is not what was written,
    counts as missing and is removed, so that the caller computes its content again. Keys are letters and digits
    (hashes). ``what`` names the content in the log.

        files = TensorFolder(folder, "features")
        files.put("ab12", {"image_C": image_C}, {"title": title})
        image_C = files.get("ab12", lambda tensors, strings: tensors["image_C"])
    """

    def __init__(self, folder: Path, what: str) -> None:
        self._folder = folder
        self._what = what
        self._refused = False

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def get(self, key: str, made: Callable[[dict[str, Tensor], dict[str, str]], Made]) -> Made | None:
        """Return ``made(tensors, strings)`` of a file; None where the file is missing.

        A file for which ``made`` raises an error counts as one that cannot be read.
        """
        path = self._path(key)
        try:
            tensors, strings = read(path)
            if strings.pop(DIGEST, None) not in (None, digest(tensors, strings)):
                raise ValueError("its content is not what was written")
            return made(tensors, strings)
        except FileNotFoundError:
            return None
        except Exception as error:
            logger.warning("%s of %s cannot be read (%s): they are computed again", self._what, key, error)
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return None

    def keep(self, key: str, tensors: Mapping[str, Tensor], strings: Mapping[str, str] | None = None) -> bool:
        """Write a file as ``put`` does, but return False where the disk refuses it.

        The refusal is logged once, and again only after a file could be written in between.
        """
        try:
            self.put(key, tensors, strings)
        except OSError as error:
            if not self._refused:
                reason = error.strerror or str(error)
                logger.error("%s cannot be kept in %s (%s): computed anew each time", self._what, self._folder, reason)
            self._refused = True
            return False
        self._refused = False
        return True

    def put(self, key: str, tensors: Mapping[str, Tensor], strings: Mapping[str, str] | None = None) -> None:
        """Write a file; raise OSError where it cannot be written, such as on a full disk.

        An incomplete file is never left behind.
        """
        path, strings = self._path(key), strings or {}
        with replaced(path) as beside:
            beside.write_bytes(to_bytes(tensors, {**strings, DIGEST: digest(tensors, strings)}))

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"{key!r} is no item key: letters and digits only")
        return self._folder / key[:2] / f"{key}.safetensors"


def to_bytes(tensors: Mapping[str, Tensor], strings: Mapping[str, str]) -> bytes:
    """Return the content of a safetensors file."""
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata=dict(strings))

"""Tensors on disk: one safetensors file a key, strings beside them in its metadata."""

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
DIGEST = "digest"  # of the content, among a file's strings; files of earlier versions have none

logger = logging.getLogger(__name__)


class TensorFolder:
    """Tensors by key. Several processes may share it.

    A file appears whole or not at all. One that cannot be read, or holds other content than was written, is a miss: it
    is removed, and what was in it is computed again. Keys are letters and digits (hashes). ``what`` says in the log
    what is kept.
    """

    def __init__(self, folder: Path, what: str) -> None:
        self._folder = folder
        self._what = what
        self._refused = False

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def get(self, key: str, made: Callable[[dict[str, Tensor], dict[str, str]], Made]) -> Made | None:
        """What ``made`` makes of the tensors and strings; an error of it counts as a file that cannot be read."""
        path = self._path(key)
        try:
            return made(*_whole(path))
        except FileNotFoundError:
            return None
        except Exception as error:
            logger.warning("%s of %s cannot be read (%s): they are computed again", self._what, key, error)
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return None

    def keep(self, key: str, tensors: Mapping[str, Tensor], strings: Mapping[str, str] | None = None) -> bool:
        """As ``put``, but False where the disk refuses it. That is told once, until it takes something again."""
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
        """Raises OSError when the file cannot be written (disk full); nothing half-written stays."""
        path, strings = self._path(key), strings or {}
        with replaced(path) as beside:
            beside.write_bytes(to_bytes(tensors, {**strings, DIGEST: digest(tensors, strings)}))

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"{key!r} is no item key: letters and digits only")
        return self._folder / key[:2] / f"{key}.safetensors"


def to_bytes(tensors: Mapping[str, Tensor], strings: Mapping[str, str]) -> bytes:
    """The content of a safetensors file."""
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata=dict(strings))


def _whole(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors, strings = read(path)
    if strings.pop(DIGEST, None) not in (None, digest(tensors, strings)):
        raise ValueError("its content is not what was written")
    return tensors, strings

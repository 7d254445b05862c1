"""Safetensors files that are read into memory as a whole, so that later changes of the file change no tensor.

Tensors that are mapped from a file change when the file is overwritten. When the file is cut, an access behind its new
end kills the process.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor


def parsed(content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a file's content. Raises SafetensorError if it is no such content."""
    tensors = safetensors.torch.load(content)
    # The library does not return the metadata. The first 8 bytes are the length of the JSON header that follows.
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, head.get("__metadata__", {})


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a file. Raises OSError, or SafetensorError if the file is broken."""
    return parsed(path.read_bytes())


def digest(tensors: Mapping[str, Tensor], strings: Mapping[str, str]) -> str:
    """Return a hash of the names and values of tensors and strings, as 32 hex digits."""
    found = hashlib.blake2b(digest_size=16)
    # Sorted names make the hash independent of the order of the mapping.
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().contiguous().numpy().tobytes())
    found.update(json.dumps(dict(strings), sort_keys=True).encode())
    return found.hexdigest()

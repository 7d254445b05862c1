"""Safetensors files, read into memory as a whole: a file that is cut or overwritten later changes no tensor.

Tensors that are mapped from a file change with it, and touching one behind the new end of the file kills the process.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor


def parsed(content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and strings of a file's content. SafetensorError where it is none."""
    tensors = safetensors.torch.load(content)
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, head.get("__metadata__", {})


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and strings of a file. OSError, or SafetensorError where it is broken."""
    return parsed(path.read_bytes())


def digest(tensors: Mapping[str, Tensor], strings: Mapping[str, str]) -> str:
    """What tensors and strings hold, in 32 hex digits."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().contiguous().numpy().tobytes())
    found.update(json.dumps(dict(strings), sort_keys=True).encode())
    return found.hexdigest()

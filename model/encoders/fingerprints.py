"""Short hashes that identify encoders, so that features and checkpoints of other encoders are recognised."""

import hashlib

import torch
from torch import nn

# Hex digits of a fingerprint.
LENGTH = 16


def of_module(module: nn.Module, *settings: object) -> str:
    """Return a hash of all weights and buffers of a module, and of the settings with which it is used."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
    return _finish(digest, settings)


def of_words(*words: object) -> str:
    """Return a hash of settings or other fingerprints, in order."""
    return _finish(hashlib.sha256(), words)


def _finish(digest: "hashlib._Hash", settings: tuple[object, ...]) -> str:
    for setting in settings:
        digest.update(f"\n{setting}".encode())
    return digest.hexdigest()[:LENGTH]

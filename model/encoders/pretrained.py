"""Models of the transformers library: from a local folder, the hub's cache or the hub, in this order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModel
from transformers.utils import logging

Loaded = TypeVar("Loaded")
FAULTS = (OSError, ValueError, RuntimeError, SafetensorError)
"""What loading raises: no such file or model, a config that is none, weights of another shape, a broken file."""


def local_first(what: str, name: str, needs: str, load: Callable[[bool], Loaded]) -> Loaded:
    """``load(local_files_only)`` of the folder or hub name; a machine that has the model never asks the network.

    ``what`` is loaded in words, ``needs`` names its files. Raises ValueError naming the fix when it cannot be had.
    """
    try:
        return load(True)
    except FAULTS as missing:
        if Path(name).is_dir():
            raise ValueError(
                f"the folder {name} holds no transformers model with safetensors that serves as {what} ({missing}): "
                f"give one with {needs}, as save_pretrained writes them, or use 'shipped'"
            ) from missing
    try:
        return load(False)
    except FAULTS as error:
        raise ValueError(
            f"the {what} {name!r} is neither a folder, nor in the hub's cache, nor can it be downloaded: "
            f"give a folder with {needs}, or use 'shipped' ({error})"
        ) from error


def model(name: str, *, local_files_only: bool) -> Any:
    """The model in single precision. Raises one of FAULTS when it isn't there, or its weights are not whole."""
    with quiet():
        loaded, report = AutoModel.from_pretrained(
            name, local_files_only=local_files_only, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    for tensor in (*loaded.parameters(), *loaded.buffers()):  # else mapped from a file that may change
        tensor.data = tensor.data.clone()
    return _whole(loaded, report)


def model_with(config: Any, state: dict[str, Tensor]) -> Any:
    """A model of this config with these weights. Raises one of FAULTS when they are not its weights."""
    with quiet():
        with torch.device("meta"):
            kind: Any = type(AutoModel.from_config(config))  # type: ignore[no-untyped-call]
        loaded, report = kind.from_pretrained(
            None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
    return _whole(loaded, report)


def _whole(loaded: Any, report: dict[str, Any]) -> Any:
    """Transformers draws what the weights lack at random: nothing that is needed may be."""
    pooler = getattr(loaded, "pooler", None)
    if pooler is not None and list(pooler.parameters()):
        loaded.pooler = None  # unused, and random where the weights lack it: it would change the fingerprint
    lacking = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if lacking:
        raise ValueError(f"the weights lack {len(lacking)} tensors of {type(loaded).__name__}, such as {lacking[0]}")
    return loaded


@contextmanager
def quiet() -> Iterator[None]:
    """Without progress bars and without the report on weights that are not needed here."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]

"""Load models of the transformers library from a local folder, the hub's cache or the hub, in this order."""

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
# The errors of loading: a missing file or model, a config that is not one, weights of another shape, a broken file.
FAULTS = (OSError, ValueError, RuntimeError, SafetensorError)


def local_first(what: str, name: str, needs: str, load: Callable[[bool], Loaded]) -> Loaded:
    """Return ``load(local_files_only)``, first with local files only, so that a local model needs no network.

    ``name`` is a folder or a name on the hub. For error messages, ``what`` describes the model and ``needs`` names its
    files. Raises ValueError with advice where the model cannot be loaded.
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
    """Return the model in single precision; raise one of FAULTS where it is missing or its weights are incomplete."""
    with quiet():
        loaded, report = AutoModel.from_pretrained(
            name, local_files_only=local_files_only, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    # Without a copy, the tensors are mapped from a file that may change.
    for tensor in (*loaded.parameters(), *loaded.buffers()):
        tensor.data = tensor.data.clone()
    return _whole(loaded, report)


def model_with(config: Any, state: dict[str, Tensor]) -> Any:
    """Return a model of this config with these weights; raise one of FAULTS where they do not fit the config."""
    with quiet():
        with torch.device("meta"):
            kind: Any = type(AutoModel.from_config(config))  # type: ignore[no-untyped-call]
        loaded, report = kind.from_pretrained(
            None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
    return _whole(loaded, report)


def _whole(loaded: Any, report: dict[str, Any]) -> Any:
    """Return the loaded model without an unused pooler; raise ValueError where weights are missing.

    transformers initialises missing weights at random, and lists them in its ``report``.
    """
    # Encoders do not use the pooler. A random pooler would change the fingerprint.
    pooler = getattr(loaded, "pooler", None)
    if pooler is not None and list(pooler.parameters()):
        loaded.pooler = None
    lacking = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if lacking:
        raise ValueError(f"the weights lack {len(lacking)} tensors of {type(loaded).__name__}, such as {lacking[0]}")
    return loaded


@contextmanager
def quiet() -> Iterator[None]:
    """Switch off progress bars and warnings about unused weights while the context is open."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]

"""Load models of the transformers library from a local folder or the hub's cache. Only `fetch` asks the hub."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModel
from transformers.utils import logging

Loaded = TypeVar("Loaded")
PICTURES, TEXTS, JOINT = "picture encoder", "text encoder", "joint encoder"
# How each kind is named where it is fetched, and what to do without it.
FETCHED = {PICTURES: "transformers:{}", TEXTS: "{}", JOINT: "joint:{}"}
INSTEAD = {PICTURES: "use 'shipped'", TEXTS: "use 'shipped'", JOINT: "take TAGLOOM_JOINT_ENCODER away"}
# The errors of loading: a missing file or model, a config that is not one, weights of another shape, a broken file.
FAULTS = (OSError, ValueError, RuntimeError, SafetensorError)


def require(what: str, name: str, needs: str, *, weights: bool = True) -> Path:
    """Return the folder of a model: ``name`` itself, or that of the name in the hub's cache.

    For error messages, ``what`` describes the model and ``needs`` names its files. Raises ValueError with advice where
    there is no folder, or it has no weights and needs them.
    """
    folder = Path(name) if Path(name).is_dir() else _cached(name)
    if folder is None:
        raise ValueError(
            f"the {what} {name!r} is neither a folder nor in the hub's cache: `tagloom encoders fetch "
            f"{FETCHED[what].format(name)}` gets it from the hub; or give a folder with {needs}"
        )
    if weights and not any(folder.glob("*.safetensors")):
        raise ValueError(_fault(what, name, needs, "no weights"))
    return folder


def loaded(what: str, name: str, needs: str, load: Callable[[Path], Loaded], *, weights: bool = True) -> Loaded:
    """Return what ``load`` makes of a model's folder. Raises ValueError with advice where it cannot be loaded."""
    folder = require(what, name, needs, weights=weights)
    try:
        return load(folder)
    except FAULTS as error:
        raise ValueError(_fault(what, name, needs, error)) from error


def _fault(what: str, name: str, needs: str, why: object) -> str:
    where = f"the folder {name}" if Path(name).is_dir() else f"the hub's cache of {name}"
    return (
        f"{where} holds no transformers model with safetensors that serves as {what} ({why}): give one with {needs}, "
        f"as save_pretrained writes them, or {INSTEAD[what]}"
    )


def _cached(name: str) -> Path | None:
    """Return the folder of a name in the hub's cache, if it has a model of this name."""
    try:
        config = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        # A folder that is not there, say, is no name on the hub.
        return None
    return Path(config).parent if isinstance(config, str) else None


def model(name: str | Path, *, local_files_only: bool = True) -> Any:
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

"""Models of timm as grid encoders."""

from pathlib import Path

import timm
from huggingface_hub import try_to_load_from_cache
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn

from model.encoders.grid import GridEncoder, Preprocessing

# The file of weights that timm's models have on the hub.
FILE = "model.safetensors"


class _LastMap(nn.Module):
    """The last of the feature maps that timm's feature extraction returns."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pixels_N3HW: Tensor) -> Tensor:
        maps: list[Tensor] = self.body(pixels_N3HW)
        return maps[-1]


def timm_encoder(name: str, source: str, device: str) -> GridEncoder:
    """Return the encoder of timm's model ``name``.

    ``source`` is a weights file with timm's names of tensors; empty for timm's weights in the hub's cache. Raises
    ValueError with advice where the model is unknown, or its weights cannot be loaded.
    """
    body = _created(name, source, features_only=True, out_indices=(-1,))
    origin = f"weights of {Path(source).name}" if source else "timm's weights"
    return last_map(body, f"timm {name}, {origin}", device)


def last_map(body: nn.Module, description: str, device: str) -> GridEncoder:
    """Return an encoder by the last map of a network that timm made with ``features_only``."""
    data = resolve_model_data_config(body)  # type: ignore[no-untyped-call]
    preprocessing = Preprocessing(data["input_size"][-1], tuple(data["mean"]), tuple(data["std"]))
    return GridEncoder(_LastMap(body), preprocessing, description, device)


def whole_state(name: str, source: str, network: nn.Module) -> dict[str, Tensor]:
    """Return the state of the whole model: this grid network's tensors and the classifier of ``source``."""
    return joined(_created(name, source).state_dict(), network)


def joined(whole: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return the state of a whole model with the tensors of a grid network in the place of its own.

    timm's feature networks have other names of tensors: ``blocks_0`` for ``blocks.0``, or ``model.blocks.0``.
    """
    state = dict(whole)
    names = {key.replace(".", "_"): key for key in state}
    for key, value in network.state_dict().items():
        state[names[key.removeprefix("body.").removeprefix("model.").replace(".", "_")]] = value
    return state


def require(name: str, source: str) -> Path:
    """Return the file of the weights, on this machine. Raises ValueError with advice where there is none."""
    if not timm.is_model(name):
        raise ValueError(f"timm has no model {name!r}: see timm.list_models()")
    if source:
        if not Path(source).is_file():
            raise ValueError(f"{source} is no file: give the path of a weights file of timm's {name}")
        return Path(source)
    record = timm.get_pretrained_cfg(name)
    place = record.hf_hub_id if record else None
    found = try_to_load_from_cache(place, FILE) if place else None
    if not isinstance(found, str):
        raise ValueError(
            f"the weights of timm's {name} are not in the hub's cache: `tagloom encoders fetch timm:{name}` gets them; "
            f"or name a local file as timm:{name}@PATH"
        )
    return Path(found)


def fetch(name: str) -> None:
    """Download timm's weights of a model into the hub's cache; an error of the libraries where that fails."""
    timm.create_model(name, pretrained=True)


def _created(name: str, source: str, **form: object) -> nn.Module:
    """Return timm's model with its weights; ``form`` are further arguments of ``timm.create_model``."""
    overlay = {"file": str(require(name, source))}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **form)  # type: ignore[arg-type]
    except Exception as error:
        raise ValueError(
            f"timm's {name} cannot be loaded ({error}): name a local weights file as timm:{name}@PATH, or use another "
            "encoder"
        ) from error

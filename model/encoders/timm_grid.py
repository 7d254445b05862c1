"""Models of timm as grid encoders (the extra `timm`)."""

from pathlib import Path

from torch import Tensor, nn

from model.encoders.grid import GridEncoder, Preprocessing


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

    ``source`` is a weights file with timm's names of tensors; empty for timm's weights from the hub or its cache.
    Raises ValueError with advice where timm is missing, the model is unknown, or its weights cannot be loaded.
    """
    try:
        import timm
        from timm.data.config import resolve_model_data_config
    except ImportError as error:
        raise ValueError("the encoder timm:… needs timm: pip install 'tagloom[timm]'") from error
    if not timm.is_model(name):
        raise ValueError(f"timm has no model {name!r}: see timm.list_models()")
    if source and not Path(source).is_file():
        raise ValueError(f"{source} is no file: give the path of a weights file of timm's {name}")
    body = _created(name, source, features_only=True, out_indices=(-1,))
    data = resolve_model_data_config(body)  # type: ignore[no-untyped-call]
    preprocessing = Preprocessing(data["input_size"][-1], tuple(data["mean"]), tuple(data["std"]))
    origin = f"weights of {Path(source).name}" if source else "timm's weights"
    return GridEncoder(_LastMap(body), preprocessing, f"timm {name}, {origin}", device)


def whole_state(name: str, source: str, network: nn.Module) -> dict[str, Tensor]:
    """Return the state of the whole model: this grid network's tensors and the classifier of ``source``.

    timm's feature networks have other names of tensors: ``blocks_0`` for ``blocks.0``, or ``model.blocks.0``.
    """
    state = dict(_created(name, source).state_dict())
    names = {key.replace(".", "_"): key for key in state}
    for key, value in network.state_dict().items():
        state[names[key.removeprefix("body.").removeprefix("model.").replace(".", "_")]] = value
    return state


def _created(name: str, source: str, **form: object) -> nn.Module:
    """Return timm's model with its weights; ``form`` are further arguments of ``timm.create_model``."""
    import timm

    overlay = {"file": source} if source else None
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **form)  # type: ignore[arg-type]
    except Exception as error:
        raise ValueError(
            f"timm's {name} cannot be loaded ({error}): name a local weights file as timm:{name}@PATH, or use 'shipped'"
        ) from error

"""Picture models of transformers as grid encoders: ViT, DINOv2, Swin, ConvNeXt, ResNet, the picture side of CLIP.

Shape suffixes: N pictures, T tokens, C width, H and W pixels or cells.
"""

from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoImageProcessor

from model.encoders import pretrained, weights
from model.encoders.grid import GridEncoder, Preprocessing, folded

NEEDS = "config.json, preprocessor_config.json"
# At most so many tokens come before the patches, besides registers: class and distillation.
SPECIAL = 2


class _Grid(nn.Module):
    """A network whose output is its last hidden state as a feature map.

    The state is a map, or it is tokens of which the last ones are patches, row by row.
    """

    def __init__(self, body: Any, size: int) -> None:
        super().__init__()
        self.body = body
        self.side = _patches(body.config, size)
        self.most = SPECIAL + getattr(body.config, "num_register_tokens", 0)

    def forward(self, pixels_N3HW: Tensor) -> Tensor:
        state: Tensor = self.body(pixel_values=pixels_N3HW).last_hidden_state
        if state.dim() == 4:
            return state
        # Tokens in another order, or of another number, would be folded into a wrong map.
        if not 0 <= state.shape[1] - self.side**2 <= self.most:
            raise ValueError(f"{state.shape[1]} tokens are not those of {self.side}×{self.side} patches")
        return folded(state, self.side)


def transformers_encoder(name: str, source: str, device: str) -> GridEncoder:
    """Return the encoder of a model of transformers.

    ``name`` is a local folder or a name on the hub, ``source`` a weights file; empty for the model's own weights.
    Pictures are scaled and normalised as its preprocessor_config.json says. Raises ValueError with advice where the
    model cannot be loaded, its weights are incomplete, or its output is no grid.
    """
    model, processor = _loaded(name, source)
    title = Path(name).name if Path(name).is_dir() else name
    origin = f"weights of {Path(source).name}" if source else "its own weights"
    try:
        preprocessing = preprocessing_of(processor)
        network = _Grid(_pictures_side(model), preprocessing.size)
        return GridEncoder(network, preprocessing, f"transformers {title}, {origin}", device)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"transformers' {name} makes no grid of pictures ({error}): name a ViT, DINOv2, Swin, ConvNeXt or ResNet "
            "whose preprocessor_config.json gives the size that it was trained at"
        ) from error


def preprocessing_of(processor: Any) -> Preprocessing:
    """Return the preparation of pictures that an image processor describes. Raises ValueError for one of another kind.

    AttributeError and TypeError where it has no such description.
    """
    size = processor.crop_size if getattr(processor, "do_center_crop", False) else processor.size
    side = size.get("height") or size.get("shortest_edge")
    if not side or size.get("width", side) != side:
        raise ValueError(f"it wants pictures of {dict(size)}, not squares")
    if getattr(processor, "do_flip_channel_order", False):
        raise ValueError("it wants blue before red")
    if getattr(processor, "do_normalize", False):
        return Preprocessing(side, tuple(processor.image_mean), tuple(processor.image_std))
    return Preprocessing(side, (0.0,) * 3, (1.0,) * 3)


def image_processor(name: str | Path, *, local_files_only: bool = True) -> Any:
    """Return the image processor of a model's folder or name, which describes the preparation of its pictures."""
    with pretrained.quiet():
        return AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            name, local_files_only=local_files_only
        )


def whole_state(name: str, source: str, network: nn.Module) -> dict[str, Tensor]:
    """Return the state of the whole model: this grid network's tensors, and the text side of ``source`` if any."""
    model, _ = _loaded(name, source)
    _pictures_side(model).load_state_dict(
        {key.removeprefix("body."): value for key, value in network.state_dict().items()}
    )
    return dict(model.state_dict())


def require(name: str, source: str) -> None:
    """Raise ValueError with advice where the model is not on this machine."""
    if source and not Path(source).is_file():
        raise ValueError(f"{source} is no file: give the path of a .safetensors or .pth file of weights")
    pretrained.require(pretrained.PICTURES, name, f"{NEEDS} and model.safetensors", weights=not source)


def fetch(name: str) -> None:
    """Download a model of the hub into its cache; an error of the libraries where that fails."""
    pretrained.model(name, local_files_only=False)
    image_processor(name, local_files_only=False)


def _loaded(name: str, source: str) -> tuple[Any, Any]:
    """Return the model, and the image processor with the preparation of its pictures."""
    if not source:
        return pretrained.loaded(
            pretrained.PICTURES,
            name,
            f"{NEEDS} and model.safetensors",
            lambda folder: (pretrained.model(folder), image_processor(folder)),
        )
    state = weights.load(Path(source))
    config, processor = pretrained.loaded(
        pretrained.PICTURES,
        name,
        NEEDS,
        lambda folder: (AutoConfig.from_pretrained(folder, local_files_only=True), image_processor(folder)),
        weights=False,
    )
    try:
        return pretrained.model_with(config, state), processor
    except pretrained.FAULTS as error:
        raise ValueError(
            f"the weights of {source} are not those of transformers' {name} ({error}): name the model that they were "
            "saved from, or leave out @… to use its own"
        ) from error


def _pictures_side(model: Any) -> Any:
    """Return the picture model of a model of pictures and texts (CLIP, SigLIP); another model is returned as it is."""
    return getattr(model, "vision_model", model)


def _patches(config: Any, size: int) -> int:
    """Return the rows (and columns) of patches in the last layer; 0 where the config has no patches.

    Each stage after the first merges 2×2 patches (Swin).
    """
    patch = getattr(config, "patch_size", None)
    if not patch:
        return 0
    side = size // (patch if isinstance(patch, int) else patch[0])
    for _ in getattr(config, "depths", [])[1:]:
        side = (side + 1) // 2
    return int(side)

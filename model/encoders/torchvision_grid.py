"""Classification models of torchvision as grid encoders: the network up to its last map before pooling."""

import sys
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import VisionTransformer, WeightsEnum
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from model.encoders import weights
from model.encoders.grid import GridEncoder, Preprocessing, folded

# The first part of the names of nodes in the traced graph at which the classifier begins.
HEADS = {"avgpool", "adaptive_avg_pool2d", "mean", "classifier"}
# The weights of these models were trained with another normalisation, which the model applies with transform_input.
RENORMALISING = ("googlenet", "inception_v3")


def torchvision_encoder(name: str, source: str, device: str) -> GridEncoder:
    """Return the encoder of torchvision's model ``name``.

    ``source`` is a weights file or the name of one of torchvision's weights; empty for the default weights. Raises
    ValueError with advice where the model is unknown, has no grid, or its weights cannot be loaded.
    """
    entry = _entry(name, source)
    state, origin = _weights(name, source, entry)
    network = models.get_model(name, weights=None, **_form(name, state))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"the {origin} are not those of torchvision's {name}: name the model that they were saved from ({error})"
        ) from error
    preset = entry.transforms()
    size = network.image_size if isinstance(network, VisionTransformer) else preset.crop_size[0]
    preprocessing = Preprocessing(size, tuple(preset.mean), tuple(preset.std))
    return GridEncoder(until_pooling(network.eval()), preprocessing, f"torchvision {name}, {origin}", device)


def whole_state(name: str, source: str, network: nn.Module) -> dict[str, Tensor]:
    """Return the state of the whole model: this grid network's tensors and the classifier of ``source``."""
    state, _ = _weights(name, source, _entry(name, source))
    return state | {key.removeprefix("body."): value for key, value in network.state_dict().items()}


def require(name: str, source: str) -> Path:
    """Return the file of the weights, on this machine. Raises ValueError with advice where there is none."""
    entry = _entry(name, source)
    if source and source != entry.name:
        if not Path(source).is_file():
            raise ValueError(f"{source} is no file: give the path of a .safetensors or .pth file of weights")
        return Path(source)
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name
    if not file.is_file():
        whole = f"torchvision:{name}" + (f"@{source}" if source else "")
        raise ValueError(
            f"the weights {entry.name} of {name} are not in {file}: `tagloom encoders fetch {whole}` gets them; or put "
            f"the file there, or name a local one as torchvision:{name}@PATH"
        )
    return file


def fetch(name: str, source: str) -> None:
    """Download torchvision's weights into its cache; an error of the libraries where that fails."""
    _entry(name, source).get_state_dict(progress=sys.stderr.isatty(), check_hash=True, weights_only=True)


def _entry(name: str, source: str) -> WeightsEnum:
    """Return torchvision's record of the weights, which has their address and the preparation of pictures."""
    if name not in models.list_models(module=models):
        raise ValueError(
            f"torchvision has no classification model {name!r}: "
            "see torchvision.models.list_models(module=torchvision.models)"
        )
    known = models.get_model_weights(name)
    return known[source] if source in known.__members__ else known.DEFAULT


def _weights(name: str, source: str, entry: WeightsEnum) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of the weights, and a description of the weights."""
    file = require(name, source)
    own = not source or source == entry.name
    return weights.load(file), f"weights {entry.name}" if own else f"weights of {file.name}"


def _form(name: str, state: dict[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of the model's builder that depend on the weights.

    The size of a ViT's pictures follows from the number of its position embeddings.
    """
    if name in RENORMALISING:
        return {"transform_input": True, "init_weights": False}
    if name.startswith("vit_") and {"encoder.pos_embedding", "conv_proj.weight"} <= state.keys():
        patches = state["encoder.pos_embedding"].shape[1] - 1
        return {"image_size": isqrt(patches) * state["conv_proj.weight"].shape[-1]}
    return {}


class _Cut(nn.Module):
    """A network up to one node of its graph, whose output is a map, or tokens with ``side`` × ``side`` patches."""

    def __init__(self, network: nn.Module, node: str, side: int = 0) -> None:
        super().__init__()
        self.side = side
        self.body = create_feature_extractor(network, {node: "grid"}, suppress_diff_warning=True)

    def forward(self, pixels_N3HW: Tensor) -> Tensor:
        grid: Tensor = self.body(pixels_N3HW)["grid"]
        return folded(grid, self.side) if self.side else grid


def until_pooling(network: nn.Module) -> nn.Module:
    """Return the network without its classifier: from pixels (N, 3, size, size) to maps (N, C, rows, columns).

    The class token of a ViT is left out. Raises ValueError where the network has no known classifier.
    """
    if isinstance(network, VisionTransformer):
        return _Cut(network, "encoder", network.image_size // network.patch_size)
    _, nodes = get_graph_node_names(network, suppress_diff_warning=True)
    heads = [index for index, node in enumerate(nodes) if node.split(".")[0] in HEADS]
    if not heads:
        raise ValueError(
            f"{type(network).__name__} has no feature map before a classifier: name another of torchvision's models, "
            "such as resnet50, swin_t or vit_b_16"
        )
    return _Cut(network, nodes[heads[0] - 1])

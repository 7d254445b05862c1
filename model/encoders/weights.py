"""Weight files on disk; never unpickled."""

from pathlib import Path

import torch
from torch import Tensor

from model.tensor_files import read


def load(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth or .pt file that holds tensors alone.

    Raises ValueError when the file is missing, broken, or holds more than tensors.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file: give the path of a .safetensors or .pth file of weights")
    try:
        state = read(path)[0] if path.suffix == ".safetensors" else _load_torch(path)
    except Exception as error:
        raise ValueError(
            f"{path} does not hold weights ({error}): give a whole .safetensors file, or a .pth file of a "
            "state_dict alone, as torch.save writes it"
        ) from error
    return {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}


def _load_torch(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return dict(state.get("state_dict", state))

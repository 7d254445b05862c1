"""Weight files on disk, read without unpickling."""

from pathlib import Path

import torch
from torch import Tensor

from model.tensor_files import read


def load(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file, or of a .pth or .pt file that holds tensors alone.

    Raises ValueError where the file is missing, broken, or holds other objects.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file: give the path of a .safetensors or .pth file of weights")
    try:
        if path.suffix == ".safetensors":
            state = read(path)[0]
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            # Training programs often store the weights under this key, beside the optimiser's state.
            state = dict(content.get("state_dict", content))
    except Exception as error:
        raise ValueError(
            f"{path} does not hold weights ({error}): give a whole .safetensors file, or a .pth file of a "
            "state_dict alone, as torch.save writes it"
        ) from error
    return {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}

"""The small encoders that come with Tagloom, for machines without access to other weights.

They were trained on drawings, not on photographs. ``shipped/README.md`` describes their training and their results.
"""

import json
from pathlib import Path

from model.encoders import weights
from model.encoders.grid import GridEncoder, Preprocessing
from model.encoders.small_resnet import SmallResNet
from model.encoders.transformer_text import TransformerTextEncoder

FOLDER = Path(__file__).parent / "shipped"
IMAGE_FOLDER = FOLDER / "image"
TEXT_FOLDER = FOLDER / "text"


def shipped_image_encoder(device: str, source: str = "") -> GridEncoder:
    """Return the shipped picture encoder.

    ``source`` is a file of its weights after further training; empty for the weights that come with Tagloom. Raises
    ValueError where the file holds other weights.
    """
    config = json.loads((IMAGE_FOLDER / "config.json").read_text(encoding="utf-8"))
    network = SmallResNet(config["widths"], config["blocks"])
    try:
        network.load_state_dict(weights.load(Path(source) if source else IMAGE_FOLDER / "model.safetensors"))
    except RuntimeError as error:
        raise ValueError(
            f"{source} holds no weights of the shipped picture encoder: give a file that tagloom "
            f"train-encoders wrote from it, or use 'shipped' ({error})"
        ) from error
    preprocessing = Preprocessing(config["size"], tuple(config["mean"]), tuple(config["std"]))
    trained_on = f"weights of {Path(source).name}" if source else "trained on drawings only"
    return GridEncoder(network, preprocessing, f"shipped small encoder ({trained_on})", device)


def shipped_text_encoder(device: str) -> TransformerTextEncoder:
    """Return the shipped text encoder."""
    description = "shipped small BERT (trained on generated titles and copy only)"
    return TransformerTextEncoder(str(TEXT_FOLDER), description, device)

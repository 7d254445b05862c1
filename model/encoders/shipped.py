"""The small encoders that come with Tagloom, for where no other weights can be had.

``shipped/README.md`` says how they were trained and what they reach; they know drawings, not photographs.
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


def shipped_image_encoder(device: str) -> GridEncoder:
    config = json.loads((IMAGE_FOLDER / "config.json").read_text(encoding="utf-8"))
    network = SmallResNet(config["widths"], config["blocks"])
    network.load_state_dict(weights.load(IMAGE_FOLDER / "model.safetensors"))
    preprocessing = Preprocessing(config["size"], tuple(config["mean"]), tuple(config["std"]))
    return GridEncoder(network, preprocessing, "shipped small encoder (trained on drawings only)", device)


def shipped_text_encoder(device: str) -> TransformerTextEncoder:
    description = "shipped small BERT (trained on generated titles and copy only)"
    return TransformerTextEncoder(str(TEXT_FOLDER), description, device)

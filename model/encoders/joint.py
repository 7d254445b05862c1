"""An encoder of pictures and texts into one space, so that words find what is seen: CLIP, Chinese-CLIP, SigLIP.

Both networks were trained together on pictures with their captions, such that a picture's vector is near to that of
its caption: Radford et al., "Learning transferable visual models from natural language supervision", 2021; Yang et al.,
"Chinese CLIP", 2022; Zhai et al., "Sigmoid loss for language image pre-training", 2023. The library's models are used.

Shape suffixes: N pictures or texts, P squares of pictures, J width of the space.
"""

import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer

from model.encoders import fingerprints, pretrained
from model.encoders.grid import BATCH
from model.encoders.precision import autocast
from model.encoders.transformers_grid import image_processor, preprocessing_of
from model.items import is_long, squares_of
from tagloom_base.groups import EncoderSettings

KINDS = {"clip": "CLIP", "chinese_clip": "Chinese-CLIP", "siglip": "SigLIP"}
"""The kinds of models by their ``model_type``."""
NEEDS = "config.json, preprocessor_config.json, tokenizer files and model.safetensors"
LONGEST = 64
"""The most tokens of a text; SigLIP was trained with texts that are filled up to so many."""


class JointEncoder:
    """A frozen model of pictures and texts, from a local folder or a name in the hub's cache.

    Raises ValueError with advice where it cannot be loaded. Several threads may use it.

        joint = JointEncoder("OFA-Sys/chinese-clip-vit-base-patch16")
        cosine_NN = joint.texts(["红色连衣裙"]) @ joint.pictures(images).T
    """

    def __init__(self, name: str, device: str = "cpu") -> None:
        self._device = torch.device(device)
        model, processor, self._tokenizer = pretrained.loaded(pretrained.JOINT, name, NEEDS, _load)
        self._preprocessing = preprocessing_of(processor)
        # Fast tokenizers refuse two threads at once.
        self._tokenizer_lock = threading.Lock()
        config = model.config
        self._is_filled = config.model_type == "siglip"
        self._longest = min(LONGEST, config.text_config.max_position_embeddings)
        title = Path(name).name if Path(name).is_dir() else name
        self._description = f"{KINDS[config.model_type]} {title}"
        vocabulary = fingerprints.of_words(*sorted(self._tokenizer.get_vocab().items()))
        self.fingerprint = fingerprints.of_module(model, vocabulary, self._preprocessing, self._longest)
        self._model = model.eval().requires_grad_(False).to(self._device)
        self.width = self.texts(["a"]).shape[1]

    def describe(self) -> str:
        """Return the kind of the model and its name in plain words."""
        return self._description

    def pictures(self, images: Sequence[Image.Image]) -> Tensor:
        """Return the (N, J) vectors of upright RGB pictures, float32 on the CPU and of unit length.

        Pictures are scaled to a square. Of a long one, the mean of its squares' vectors counts.
        """
        parts = [
            [image.crop(box) for box in squares_of(image.size)] if is_long(image.size) else [image] for image in images
        ]
        squares = [square for part in parts for square in part]
        found = [self._pictures(squares[start : start + BATCH]) for start in range(0, len(squares), BATCH)]
        if not found:
            return torch.zeros(0, self.width)
        square_PJ = iter(torch.cat(found))
        mean_NJ = torch.stack([torch.stack(list(islice(square_PJ, len(part)))).mean(0) for part in parts])
        return normalize(mean_NJ, dim=1)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return the (N, J) vectors of texts, float32 on the CPU and of unit length."""
        with self._tokenizer_lock:
            inputs = self._tokenizer(
                list(texts), padding="max_length" if self._is_filled else True, truncation=True,
                max_length=self._longest, return_tensors="pt",
            )  # fmt: skip
        with torch.inference_mode(), autocast(self._device):
            output = self._model.get_text_features(**inputs.to(self._device))
        return normalize(output.pooler_output.float().cpu(), dim=1).clone()

    def _pictures(self, images: Sequence[Image.Image]) -> Tensor:
        with torch.inference_mode(), autocast(self._device):
            output = self._model.get_image_features(pixel_values=self._preprocessing(images).to(self._device))
        return normalize(output.pooler_output.float().cpu(), dim=1).clone()


def open_joint(encoders: EncoderSettings) -> JointEncoder | None:
    """Load the joint encoder that the settings name, on their device; None where they name none. Raises ValueError."""
    return JointEncoder(encoders.joint_encoder, encoders.device) if encoders.joint_encoder else None


def require(name: str) -> None:
    """Raise ValueError with advice where the model is not on this machine. Nothing is loaded."""
    pretrained.require(pretrained.JOINT, name, NEEDS)


def fetch(name: str) -> None:
    """Download a model of the hub into its cache; an error of the libraries where that fails."""
    _load(name, local_files_only=False)


def _load(name: str | Path, *, local_files_only: bool = True) -> tuple[Any, Any, Any]:
    """Return model, image processor and tokenizer. Raises one of `pretrained.FAULTS`, also for one of another kind."""
    model = pretrained.model(name, local_files_only=local_files_only)
    kind = model.config.model_type
    if kind not in KINDS:
        raise ValueError(f"it is of the kind {kind!r}, not {', '.join(KINDS)}")
    processor = image_processor(name, local_files_only=local_files_only)
    with pretrained.quiet():
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=local_files_only)
    if len(tokenizer) > model.config.text_config.vocab_size:
        raise ValueError(f"its tokenizer has {len(tokenizer)} words, its model {model.config.text_config.vocab_size}")
    return model, processor, tokenizer

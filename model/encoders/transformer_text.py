"""Transformer encoders of texts: a name on the hub, a name in its cache, or a local folder, through one path.

A text's pooled vector is the mean of its tokens: the start token of a masked language model that was not trained
further is no sentence vector (Reimers and Gurevych, Sentence-BERT, 2019). The start token is there as the first token.
"""

import copy
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from model.encoders import fingerprints, pretrained
from model.encoders.precision import autocast
from model.encoders.protocols import EncodedText

LONGEST = 64  # tokens of one text; titles of shops end well before
BATCH = 64  # texts


class TransformerTextEncoder:
    """A frozen BERT-like model with its own tokenizer; see TextEncoder.

    ``name`` is a local folder or a hub name; a hub name is looked up in the local cache first. Weights must be
    safetensors. Raises ValueError naming the fix when it cannot be loaded.
    """

    def __init__(self, name: str, description: str = "", device: str = "cpu") -> None:
        self._device = torch.device(device)
        model, self._tokenizer = _load(name)
        self._tokenizer_lock = threading.Lock()  # fast tokenizers refuse two threads at once
        self._take(model, description or f"transformers {Path(name).name if Path(name).is_dir() else name}")

    def describe(self) -> str:
        return self._description

    def with_network(self, network: nn.Module, description: str) -> "TransformerTextEncoder":
        """The same tokenizer with other weights: another encoder, with a fingerprint of its own."""
        other = copy.copy(self)
        other._take(network, description)
        return other

    def save(self, folder: Path) -> None:
        """Model and tokenizer as a folder that ``TransformerTextEncoder(str(folder))`` loads."""
        with pretrained.quiet():
            self.network.save_pretrained(folder)
            self._tokenizer.save_pretrained(folder)

    def states(self, network: nn.Module, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """States (N, T, E) of ``network``, a copy of this encoder's, and each text's number of tokens (N,) with start
        and end token; on its device. Gradients flow where they are asked for."""
        with self._tokenizer_lock:
            inputs = self._tokenizer(
                list(texts), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
            )
        with autocast(self._device):
            output = network(**inputs.to(self._device))
        return output.last_hidden_state.float(), inputs["attention_mask"].sum(dim=1)

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Each text's tokens; the same text twice is computed once."""
        distinct = sorted({text for text in texts if text.strip()}, key=lambda text: (len(text), text))
        encoded = {"": EncodedText(torch.zeros(0, self.width), torch.zeros(self.width))}
        for start in range(0, len(distinct), BATCH):
            batch = distinct[start : start + BATCH]
            encoded |= dict(zip(batch, self._encode(batch), strict=True))
        return [encoded[text if text.strip() else ""] for text in texts]

    def _take(self, network: Any, description: str) -> None:
        self._description = description
        vocabulary = fingerprints.of_words(*sorted(self._tokenizer.get_vocab().items()))
        self.fingerprint = fingerprints.of_module(network, vocabulary, LONGEST)
        self.width = int(network.config.hidden_size)
        self.network = network.eval().requires_grad_(False).to(self._device)

    @torch.inference_mode()
    def _encode(self, texts: list[str]) -> list[EncodedText]:
        states_NTE, length_N = self.states(self.network, texts)
        pairs = zip(states_NTE.cpu(), length_N.tolist(), strict=True)
        return [_encoded(tokens_TE[:length]) for tokens_TE, length in pairs]


def _encoded(tokens_TE: Tensor) -> EncodedText:
    """Tokens come as [CLS] … [SEP]; the end token says nothing and goes."""
    content_TE = tokens_TE[1:-1]
    pooled_E = content_TE.mean(dim=0) if len(content_TE) else torch.zeros(tokens_TE.shape[1])
    return EncodedText(tokens_TE[:-1].clone(), pooled_E)


def _load(name: str) -> tuple[Any, Any]:
    return pretrained.local_first(
        "text encoder",
        name,
        "config.json, model.safetensors and tokenizer files",
        lambda local: (pretrained.model(name, local_files_only=local), _tokenizer(name, local)),
    )


def _tokenizer(name: str, local_files_only: bool) -> Any:
    with pretrained.quiet():
        return AutoTokenizer.from_pretrained(name, local_files_only=local_files_only)

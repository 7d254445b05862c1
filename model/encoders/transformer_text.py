"""Text encoders from transformers: a local folder, or a name in the hub's cache.

The pooled vector of a text is the mean of its tokens: in a masked language model without further training, the start
token is no sentence vector (Reimers and Gurevych, Sentence-BERT, 2019). The start token is kept as the first token.

Shape suffixes: N texts, T tokens, E text width.
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
from model.encoders.runtime import Runtime, Vectors

NEEDS = "config.json, model.safetensors and tokenizer files"
# Tokens of a text that are encoded; titles of shops are shorter.
LONGEST = 64
# The input that says which tokens are a text's own, and not padding.
MASK = "attention_mask"
# Texts that are encoded at a time.
BATCH = 64


class States(nn.Module):
    """The last states (N, T, E) of a transformer, called with its inputs in the order of ``names``."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: Tensor) -> Tensor:
        states: Tensor = self.network(**dict(zip(self.names, inputs, strict=True))).last_hidden_state
        return states


def token_vectors(mask: int) -> Vectors:
    """Return what gives the vectors of all tokens, and the mean of each text's (M, E).

    ``mask`` is the place of the mask among the inputs: what is computed for padding does not count.
    """

    def vectors(inputs: tuple[Tensor, ...], states_NTE: Tensor) -> Tensor:
        inside_NT = inputs[mask].bool()
        mean_NE = (states_NTE * inside_NT[..., None]).sum(1) / inside_NT.sum(1, keepdim=True)
        return torch.cat([states_NTE[inside_NT], mean_NE])

    return vectors


class TransformerTextEncoder:
    """A frozen BERT-like model with its tokenizer; a TextEncoder.

    ``name`` is a local folder or a name in the hub's cache. Weights must be safetensors. Raises ValueError with advice
    where the model cannot be loaded.

        encoder = TransformerTextEncoder("bert-base-chinese")
        pooled_E = encoder.encode(["连衣裙"])[0].pooled_E
    """

    def __init__(self, name: str, description: str = "", device: str = "cpu") -> None:
        self._device = torch.device(device)
        model, self._tokenizer = pretrained.loaded(pretrained.TEXTS, name, NEEDS, _load)
        # Fast tokenizers refuse two threads at once.
        self._tokenizer_lock = threading.Lock()
        self._take(model, description or f"transformers {Path(name).name if Path(name).is_dir() else name}")

    def describe(self) -> str:
        return self._description

    def with_network(self, network: nn.Module, description: str) -> "TransformerTextEncoder":
        """Return an encoder with the same tokenizer and another network; it has another fingerprint."""
        other = copy.copy(self)
        other._take(network, description)
        return other

    def save(self, folder: Path) -> None:
        """Write model and tokenizer to a folder that ``TransformerTextEncoder(str(folder))`` loads."""
        with pretrained.quiet():
            self.network.save_pretrained(folder)
            self._tokenizer.save_pretrained(folder)

    def states(self, network: nn.Module, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the states (N, T, E) of ``network``, a copy of this encoder's, and each text's number of tokens (N,).

        The numbers include start and end token. Both tensors are on the encoder's device. Gradients are computed,
        unless the caller has switched them off.
        """
        inputs = self._inputs(texts)
        with autocast(self._device):
            output = network(**{name: each.to(self._device) for name, each in inputs.items()})
        return output.last_hidden_state.float(), inputs[MASK].sum(dim=1).to(self._device)

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Return tokens and pooled vector of each text; a text that is in the list twice is computed once."""
        # Texts of about one length are in one batch, which needs little padding then.
        distinct = sorted({text for text in texts if text.strip()}, key=lambda text: (len(text), text))
        encoded = {"": EncodedText(torch.zeros(0, self.width), torch.zeros(self.width))}
        for start in range(0, len(distinct), BATCH):
            batch = distinct[start : start + BATCH]
            states_NTE, length_N = self._encoded(batch)
            for text, states_TE, length in zip(batch, states_NTE, length_N.tolist(), strict=True):
                # Tokens are [CLS] … [SEP]; the end token has no content and is left out.
                content_TE = states_TE[1 : length - 1]
                pooled_E = content_TE.mean(dim=0) if len(content_TE) else torch.zeros(self.width)
                encoded[text] = EncodedText(states_TE[: length - 1].clone(), pooled_E)
        return [encoded[text if text.strip() else ""] for text in texts]

    def _encoded(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the same as `states` of this encoder's network, on the CPU."""
        if self.runtime is None:
            with torch.inference_mode():
                states_NTE, length_N = self.states(self.network, texts)
            return states_NTE.cpu(), length_N
        inputs = self._inputs(texts)
        return self.runtime(*inputs.values()), inputs[MASK].sum(dim=1)

    def _inputs(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return the network's inputs (N, T) by name."""
        with self._tokenizer_lock:
            found = self._tokenizer(list(texts), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
        return dict(found)

    def _take(self, network: Any, description: str) -> None:
        """Use this network from now on."""
        self._description = description
        vocabulary = fingerprints.of_words(*sorted(self._tokenizer.get_vocab().items()))
        self.fingerprint = fingerprints.of_module(network, vocabulary, LONGEST)
        self.width = int(network.config.hidden_size)
        self.network = network.eval().requires_grad_(False).to(self._device)
        self.runtime: Runtime | None = None
        if self._device.type == "cpu":
            names = list(self._inputs(["a"]))
            states = States(self.network, names).eval()
            self.runtime = Runtime(states, self.fingerprint, description, token_vectors(names.index(MASK)))


def require(name: str) -> None:
    """Raise ValueError with advice where the model is not on this machine."""
    pretrained.require(pretrained.TEXTS, name, NEEDS)


def fetch(name: str) -> None:
    """Download a model of the hub into its cache; an error of the libraries where that fails."""
    _load(name, local_files_only=False)


def _load(name: str | Path, *, local_files_only: bool = True) -> tuple[Any, Any]:
    """Return model and tokenizer."""
    model = pretrained.model(name, local_files_only=local_files_only)
    with pretrained.quiet():
        return model, AutoTokenizer.from_pretrained(name, local_files_only=local_files_only)

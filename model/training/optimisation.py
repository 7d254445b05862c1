"""The moving parts of training: AdamW over the parts that a phase trains, and over encoders where some are trained
along; averaged weights; state that survives a kill.

Shape suffixes: B batch, M modalities (picture, text, industry, each further text).
"""

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from model.attention.batching import Batch
from model.attention.network import Network, OptimizerState
from model.tensor_files import read
from model.training.phases import PARTS, Phase
from model.training.processes import Processes
from tagloom_base.files import replaced

GRADIENT_LIMIT = 1.0
MOMENTS = ("exp_avg", "exp_avg_sq")
ENCODERS = "encoders"


class Learner:
    """A network under training, its AdamW and the exponential average of its weights (which is what gets published).

    Of ``encoders``, those parameters learn along that ask for gradients, at ``encoder_rate`` in every phase.
    """

    def __init__(
        self,
        network: Network,
        weight_decay: float,
        ema_decay: float,
        encoders: nn.Module | None = None,
        encoder_rate: float = 0.0,
    ) -> None:
        self.network = network
        self.average = copy.deepcopy(network)
        self.average_encoders = copy.deepcopy(encoders)
        tuned = _tuned(encoders)
        self.learning: list[Tensor] = [*network.parameters(), *tuned]
        self.averaged: list[Tensor] = [*self.average.parameters(), *_tuned(self.average_encoders)]
        self.processes = Processes.current()
        self.ema_decay = ema_decay
        self.steps = 0
        parts = network.parts()
        groups = [{"params": parts[part], "name": part, "lr": 0.0} for part in PARTS]
        groups += [{"params": tuned, "name": ENCODERS, "lr": encoder_rate}] if tuned else []
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True)

    def start(self, phase: Phase) -> None:
        """Let exactly the phase's parts learn, at its rate."""
        self.network.train()
        for group in self.adam.param_groups[: len(PARTS)]:
            group["lr"] = phase.learning_rate
            for parameter in group["params"]:
                parameter.requires_grad_(group["name"] in phase.trains)
                parameter.grad = None

    def step(self, loss: Tensor) -> None:
        """One update by the sum of all processes' losses."""
        self.adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.processes.add_gradients(self.learning)
        torch.nn.utils.clip_grad_norm_(self.learning, GRADIENT_LIMIT)
        self.adam.step()
        self.steps += 1
        # A short warm-up of the average, so that the first epochs are not mostly the weights before training.
        decay = min(self.ema_decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.averaged, self.learning, 1 - decay)

    def optimizer_state(self) -> OptimizerState:
        """AdamW's state as flat tensors: ``parameter.exp_avg`` and so on."""
        return OptimizerState(
            (f"{name}.{key}", value.detach().cpu().clone())
            for name, parameter in self.network.named_parameters()
            for key, value in self.adam.state.get(parameter, {}).items()
        )

    def load_optimizer(self, state: Mapping[str, Tensor]) -> None:
        """Continue from ``optimizer_state()``; parameters, and rows, that it does not know start afresh."""
        for name, parameter in self.network.named_parameters():
            found = {key: state[f"{name}.{key}"] for key in ("step", *MOMENTS) if f"{name}.{key}" in state}
            if len(found) == 3 and found["exp_avg"].shape[1:] == parameter.shape[1:]:
                moments = {key: _with_rows(found[key], len(parameter)) for key in MOMENTS}
                kept = {"step": found["step"].clone(), **moments}
                self.adam.state[parameter] = {key: value.to(parameter.device) for key, value in kept.items()}

    def save(self, path: Path, fingerprint: str, epoch: int) -> None:
        """Keep the state after an epoch; an earlier state is replaced in one move. One process writes for all."""
        if self.processes.rank:
            return
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        tensors |= {f"adam.{name}": value for name, value in self.optimizer_state().items()}
        about = {"epoch": str(epoch), "steps": str(self.steps), "run": _hashed(fingerprint)}
        with replaced(path) as beside:
            save_file(tensors, beside, metadata=about)

    def resume(self, path: Path, fingerprint: str) -> int:
        """Epochs that are done, after loading their state; 0 when the file is not there, broken, or of another run."""
        try:
            tensors, about = read(path)
        except (OSError, SafetensorError):
            return 0
        if about.get("run") != _hashed(fingerprint):
            return 0
        self.network.load_state_dict(_under(tensors, "network."))
        self.average.load_state_dict(_under(tensors, "average."))
        self.load_optimizer(_under(tensors, "adam."))
        self.steps = int(about["steps"])
        return int(about["epoch"])


def modality_dropout(batch: Batch, share: float) -> Batch:
    """Hide picture, text, industry or a further text of some items, each by itself: none is to be relied on alone."""
    if not share:
        return batch
    kept_BM = (torch.rand(3 + batch.field_mask_NX.shape[1], len(batch)) >= share).T  # the same draw on any device
    return replace(
        batch,
        region_mask_NR=batch.region_mask_NR & kept_BM[:, :1],
        segment_mask_NT=batch.segment_mask_NT & kept_BM[:, 1:2],
        level_mask_NL=batch.level_mask_NL & kept_BM[:, 2:3],
        field_mask_NX=batch.field_mask_NX & kept_BM[:, 3:],
    )


def _tuned(encoders: nn.Module | None) -> list[nn.Parameter]:
    """The encoders' parameters that learn."""
    return [parameter for parameter in encoders.parameters() if parameter.requires_grad] if encoders else []


def _with_rows(moment: Tensor, rows: int) -> Tensor:
    """A copy with rows of zeros behind its own."""
    return torch.cat([moment, moment.new_zeros(rows - len(moment), *moment.shape[1:])])


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

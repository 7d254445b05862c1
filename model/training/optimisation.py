"""Optimisation: AdamW on the network and on encoders, averaged weights, and a state that survives a kill.

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
"""The largest norm of the gradient; longer ones are scaled down."""
MOMENTS = ("exp_avg", "exp_avg_sq")
"""AdamW's names for its averages of a parameter's gradient and squared gradient."""
ENCODERS = "encoders"


class Learner:
    """A network under training, its optimizer, and the exponential average of its weights, which is what serves.

    The parameters of ``encoders`` that require gradients are trained too, in every phase, at ``encoder_rate``.

        learner = Learner(network, weight_decay=0.05, ema_decay=0.98)
        learner.start(phase)
        learner.step(loss)
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
        # `start` sets the rates of the network's parts.
        groups = [{"params": parts[part], "name": part, "lr": 0.0} for part in PARTS]
        groups += [{"params": tuned, "name": ENCODERS, "lr": encoder_rate}] if tuned else []
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True)

    def start(self, phase: Phase) -> None:
        """Train exactly the phase's parts from now on, at its learning rate."""
        self.network.train()
        # The groups behind the network's parts are encoders, which have their own rate.
        for group in self.adam.param_groups[: len(PARTS)]:
            group["lr"] = phase.learning_rate
            for parameter in group["params"]:
                parameter.requires_grad_(group["name"] in phase.trains)
                parameter.grad = None

    def step(self, loss: Tensor) -> None:
        """Update the weights and their average by the sum of the losses of all processes."""
        self.adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.processes.add_gradients(self.learning)
        torch.nn.utils.clip_grad_norm_(self.learning, GRADIENT_LIMIT)
        self.adam.step()
        self.steps += 1
        # A smaller decay in the first steps keeps the average from consisting mostly of the weights before training.
        decay = min(self.ema_decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.averaged, self.learning, 1 - decay)

    def optimizer_state(self) -> OptimizerState:
        """Return a copy of AdamW's state for the network, by names such as ``head.exp_avg``."""
        return OptimizerState(
            (f"{name}.{key}", value.detach().cpu().clone())
            for name, parameter in self.network.named_parameters()
            for key, value in self.adam.state.get(parameter, {}).items()
        )

    def load_optimizer(self, state: Mapping[str, Tensor]) -> None:
        """Continue from an ``optimizer_state()``. Parameters and rows that it lacks start without a state."""
        for name, parameter in self.network.named_parameters():
            found = {key: state[f"{name}.{key}"] for key in ("step", *MOMENTS) if f"{name}.{key}" in state}
            if len(found) == 3 and found["exp_avg"].shape[1:] == parameter.shape[1:]:
                kept = {"step": found["step"].clone()}
                for key in MOMENTS:
                    # A vocabulary that has grown has added rows at the end of the parameter.
                    added = found[key].new_zeros(len(parameter) - len(found[key]), *found[key].shape[1:])
                    kept[key] = torch.cat([found[key], added])
                self.adam.state[parameter] = {key: value.to(parameter.device) for key, value in kept.items()}

    def save(self, path: Path, fingerprint: str, epoch: int) -> None:
        """Write the state after an epoch to a file, in one move. Only the first process writes.

        ``fingerprint`` identifies the run: `resume` reads no state of another run.
        """
        if self.processes.rank:
            return
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        tensors |= {f"adam.{name}": value for name, value in self.optimizer_state().items()}
        about = {"epoch": str(epoch), "steps": str(self.steps), "run": _hashed(fingerprint)}
        with replaced(path) as beside:
            save_file(tensors, beside, metadata=about)

    def resume(self, path: Path, fingerprint: str) -> int:
        """Load the state from a file and return the number of epochs that are done.

        Return 0 if the file is missing or broken, or belongs to a run with another fingerprint.
        """
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
    """Hide each of picture, text, industry and further texts from a share of the items, independently.

    So the network learns to answer even where only one of them is there.
    """
    if not share:
        return batch
    # The numbers are drawn on the CPU, so that they are the same for all devices.
    kept_BM = (torch.rand(3 + batch.field_mask_NX.shape[1], len(batch)) >= share).T
    return replace(
        batch,
        region_mask_NR=batch.region_mask_NR & kept_BM[:, :1],
        segment_mask_NT=batch.segment_mask_NT & kept_BM[:, 1:2],
        page_mask_N1=batch.page_mask_N1 & kept_BM[:, 1:2],
        level_mask_NL=batch.level_mask_NL & kept_BM[:, 2:3],
        field_mask_NX=batch.field_mask_NX & kept_BM[:, 3:],
    )


def _tuned(encoders: nn.Module | None) -> list[nn.Parameter]:
    """Return the parameters of the encoders that are trained."""
    return [parameter for parameter in encoders.parameters() if parameter.requires_grad] if encoders else []


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix``, by their names without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _hashed(text: str) -> str:
    """Return 16 hex digits that identify a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]

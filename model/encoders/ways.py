"""Ways to run a frozen network on the CPU. All give the same within a small error; they differ in speed by machine.

Shape suffixes: N rows of a batch (pictures or texts).
"""

import copy
import logging
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

LOG = logging.getLogger(__name__)

Run: TypeAlias = Callable[..., Tensor]
"""A network that is ready: from its inputs, tensors of N rows, to its output, float32. Safe to call from threads."""


@dataclass(frozen=True)
class Frozen:
    """A network in eval mode and one row of each of its inputs.

    ``model_file`` is where OpenVINO's form of the network is kept, as making it takes seconds.
    """

    network: nn.Module
    example: tuple[Tensor, ...]
    model_file: Path


@dataclass(frozen=True)
class Way:
    """A way by its name. ``prepare`` may take seconds, and raise anything where the machine or network lacks it.

    ``needs`` are instructions (`machine.INSTRUCTIONS`) of which the processor must have one, if any are named: without
    them a way may work, a hundred times as slow.
    """

    name: str
    prepare: Callable[[Frozen], Run]
    needs: frozenset[str] = frozenset()


def eager(network: nn.Module) -> Run:
    """Return the network as PyTorch runs it, in single precision."""

    def run(*inputs: Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.as_tensor(network(*inputs)).float()

    return run


def _in_bfloat16(frozen: Frozen) -> Run:
    """PyTorch with products in bfloat16, and with each pixel's channels side by side."""
    of_pictures = frozen.example[0].dim() == 4
    network = frozen.network
    if of_pictures:
        # A copy of torchvision's traced networks comes in training mode.
        network = copy.deepcopy(network).eval()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub

    def run(*inputs: Tensor) -> Tensor:
        if of_pictures:
            inputs = tuple(each.contiguous(memory_format=torch.channels_last) for each in inputs)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return torch.as_tensor(network(*inputs)).float()

    return run


def _by_openvino(precision: str) -> Callable[[Frozen], Run]:
    """OpenVINO computes in ``precision``, f32 or bf16, in as many threads as PyTorch would use now."""

    def prepare(frozen: Frozen) -> Run:
        from model.openvino_for_threads import openvino

        core = openvino.Core()
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = core.compile_model(_openvino_form(core, frozen), "CPU", options)
        request, lock = compiled.create_infer_request(), threading.Lock()

        def run(*inputs: Tensor) -> Tensor:
            with lock:
                request.infer([each.numpy() for each in inputs])
                # A copy, as the next batch is written into the same memory.
                return torch.from_numpy(np.array(request.get_output_tensor(0).data, dtype=np.float32))

        return run

    return prepare


def _openvino_form(core: Any, frozen: Frozen) -> Any:
    """Return the network in OpenVINO's form, for batches of any size, from its file or made anew and kept there."""
    from model.openvino_for_threads import openvino

    file, weights = frozen.model_file, frozen.model_file.with_suffix(".bin")
    if file.exists():
        try:
            return core.read_model(file, weights)
        except RuntimeError:
            # A broken file is made anew.
            file.unlink(missing_ok=True)
    with warnings.catch_warnings():
        # The tracer warns of branches by shape, which are the same for all batches; the answers are compared later.
        warnings.simplefilter("ignore")
        made = openvino.convert_model(frozen.network, example_input=frozen.example)
    made.reshape(
        {port: openvino.PartialShape(_open(each)) for port, each in zip(made.inputs, frozen.example, strict=True)}
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent, prefix=".") as folder:
            openvino.save_model(made, Path(folder) / file.name, compress_to_fp16=False)
            (Path(folder) / weights.name).replace(weights)
            (Path(folder) / file.name).replace(file)
    # A full disk, or a folder that may not be written: the next process makes it again.
    except (OSError, RuntimeError) as error:
        LOG.warning("OpenVINO's form of an encoder can't be kept in %s (%s)", file.parent, error)
        return made
    return core.read_model(file, weights)


def _open(example: Tensor) -> list[int]:
    """Return a shape with any number of rows; texts (N, T) may have any number of tokens too."""
    return [-1, -1] if example.dim() == 2 else [-1, *example.shape[1:]]


_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16"})
WAYS: Sequence[Way] = (
    Way("PyTorch bfloat16", _in_bfloat16, _BFLOAT16),
    Way("OpenVINO float32", _by_openvino("f32")),
    Way("OpenVINO bfloat16", _by_openvino("bf16"), _BFLOAT16),
)
"""What may be faster than `eager`."""
EAGER = "PyTorch float32"
"""The name of `eager`, which always works."""

"""Whether PyTorch has the device that the settings name."""

import subprocess
import sys

from tagloom_base.errors import UserError

_COUNT = "import torch; print(torch.cuda.device_count())"


def require_device(device: str) -> None:
    """Raise UserError when PyTorch has no such device: ``cpu``, ``cuda`` or ``cuda:<number>``.

    Do not call before a fork: the check initialises the GPU, and forked processes could not use it.
    """
    if device != "cpu":
        import torch

        _require(device, torch.cuda.device_count())


def require_device_of_forks(device: str) -> None:
    """Raise UserError as `require_device` does, but look from a process of its own, so that this one may fork."""
    if device != "cpu":
        found = subprocess.run([sys.executable, "-c", _COUNT], capture_output=True, text=True)
        _require(device, int(found.stdout.strip() or 0))


def _require(device: str, count: int) -> None:
    number = int(device.partition(":")[2] or 0)
    if number >= count:
        raise UserError(
            f"TAGLOOM_DEVICE={device} can't be used: PyTorch sees {count} GPUs here; "
            "set cpu, or install the driver and PyTorch for CUDA"
        )

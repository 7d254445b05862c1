"""A device that PyTorch does not have is told, also to a process that will fork."""

import pytest
import torch

from model.encoders.device import require_device, require_device_of_forks
from tagloom_base.errors import UserError


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for device in ("cpu", "cuda", "cuda:0"):
        require_device(device)
    with pytest.raises(UserError, match=r"TAGLOOM_DEVICE=cuda:1 .* 1 GPUs"):
        require_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match="set cpu"):
        require_device("cuda")


def test_a_process_that_will_fork_asks_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("the GPU would be initialised here"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    require_device_of_forks("cpu")
    with pytest.raises(UserError, match=r"TAGLOOM_DEVICE=cuda can't be used: PyTorch sees 0 GPUs here"):
        require_device_of_forks("cuda")

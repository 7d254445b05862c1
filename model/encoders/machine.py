"""What this machine can do that decides how fast encoders run: its processor, cores and memory."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

# Instructions that make encoders faster, the strongest first, as `torch.cpu.get_capabilities` names them.
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512_f", "avx2")
_CPUINFO = Path("/proc/cpuinfo")
_GROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """A processor by name, those of `INSTRUCTIONS` that it has, the cores and the bytes that this process may use."""

    processor: str
    instructions: tuple[str, ...]
    cores: int
    memory: int


def this_machine() -> Machine:
    """Return what this process may use. Limits of a container and of ``taskset`` count."""
    known = torch.cpu.get_capabilities()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(_GROUP / "cpu.max").partition(" ")
    if quota.isdigit():
        cores = max(1, min(cores, int(quota) // int(period)))
    memory, limit = int(psutil.virtual_memory().total), _read(_GROUP / "memory.max")
    if limit.isdigit():
        memory = min(memory, int(limit))
    return Machine(_processor(), tuple(name for name in INSTRUCTIONS if known.get(name)), cores, memory)


def free_memory() -> int:
    """Return the bytes that this process can still take without driving others out of memory."""
    free = int(psutil.virtual_memory().available)
    limit, used = _read(_GROUP / "memory.max"), _read(_GROUP / "memory.current")
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free


def _processor() -> str:
    for line in _read(_CPUINFO).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(file: Path) -> str:
    """Return a file of the kernel, or an empty text where this system has none."""
    try:
        return file.read_text("utf-8").strip()
    except OSError:
        return ""

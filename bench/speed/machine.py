"""What the machine can do: matrix products, copies of memory, decoding of JPEG. A speed is told beside these."""

import io
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from PIL import Image

from bench.speed.turns import in_turn, median

SIDE = 2048
"""Rows and columns of the matrices that are multiplied."""
COPIED_BYTES = 512 * 2**20
"""What is copied; it is larger than any cache."""
PICTURE = (1200, 1200)
"""Width and height of the picture that is decoded, in pixels."""
DECODED = 8
"""How often the picture is decoded in one turn."""


def peaks(repeats: int = 5) -> dict[str, float]:
    """Measure the machine with as many threads as torch uses now.

    Returns the medians by name: ``fp32 GFLOP/s`` and ``bf16 GFLOP/s`` of a matrix product, ``copy GB/s`` (each byte is
    read once and written once, and counts once), and ``JPEG Mpixel/s`` of one thread's decoding.
    """
    single_NN = torch.randn(SIDE, SIDE)
    half_NN = single_NN.bfloat16()
    source_B = torch.ones(COPIED_BYTES, dtype=torch.uint8)
    target_B = torch.empty_like(source_B)
    packed = io.BytesIO()
    noise_HWC = torch.randint(0, 256, (75, 75, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    Image.fromarray(noise_HWC.numpy()).resize(PICTURE).save(packed, "JPEG", quality=90)

    def decode() -> None:
        for _ in range(DECODED):
            Image.open(io.BytesIO(packed.getvalue())).convert("RGB")

    work: dict[str, tuple[float, Callable[[], object]]] = {
        "fp32 GFLOP/s": (2 * SIDE**3 / 1e9, lambda: single_NN @ single_NN),
        "bf16 GFLOP/s": (2 * SIDE**3 / 1e9, lambda: half_NN @ half_NN),
        "copy GB/s": (COPIED_BYTES / 1e9, lambda: target_B.copy_(source_B)),
        "JPEG Mpixel/s": (DECODED * PICTURE[0] * PICTURE[1] / 1e6, decode),
    }
    seconds = in_turn({name: each for name, (_, each) in work.items()}, repeats)
    return {name: amount / median(seconds[name]) for name, (amount, _) in work.items()}


def described() -> dict[str, object]:
    """Return the machine's name, cores, threads and load, and today's date."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    known = torch.cpu.get_capabilities()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": names[0] if names else platform.processor(),
        "has": [name for name in ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512_f", "avx2") if known.get(name)],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }

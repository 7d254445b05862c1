"""What makes reading, encoding and training fast or slow on this machine, and what would make it faster."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tagloom.checks.finding import Finding, good
from tagloom_base.settings import Settings

if TYPE_CHECKING:
    from model.encoders.machine import Machine

GIB = 2**30
# With less, the encoders' ways that need memory are not taken, and a training may be killed.
ENOUGH_MEMORY = 4 * GIB


def speed(settings: Settings) -> Iterator[Finding]:
    """Tell cores, memory, instructions and the ways in which encoders run, and what would make them faster.

    A slow machine works, so nothing here is wrong.
    """
    from model.encoders.kept import Ways
    from model.encoders.machine import this_machine
    from model.encoders.ways import EAGER

    machine = this_machine()
    words = [word for word, names in _INSTRUCTIONS.items() if names & set(machine.instructions)]
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    yield good(f"{cores}, {machine.memory / GIB:.1f} GB of memory, {', '.join(words) or 'no AVX2'}")
    chosen = Ways(settings.paths.ways).all() if settings.encoders.device == "cpu" else []
    yield from (good(choice.told(EAGER)) for choice in chosen)
    if not chosen and settings.encoders.device == "cpu":
        yield good(
            f"encoders run by {EAGER} until the fastest way is measured, which happens beside the work once a process "
            "has encoded 32 pictures"
        )
    yield from (good(f"faster: {line}") for line in advice(machine, settings.encoders.device))


# In plain words, the strongest first; AVX2 is what the slowest way needs to be fast.
_INSTRUCTIONS = {
    "AMX (bfloat16)": {"amx_bf16"},
    "AVX512 with bfloat16": {"avx512_bf16"},
    "AVX512": {"avx512_f"},
    "AVX2": {"avx2"},
}


def advice(machine: "Machine", device: str) -> list[str]:
    """Return a sentence for each thing that would make this machine faster, the one that gains most first."""
    from model.encoders.machine import INSTRUCTIONS

    lines = []
    host = "in a virtual machine have the host pass its processor's features on (QEMU and libvirt: cpu mode host)"
    if machine.cores == 1:
        lines.append(
            "2 cores or more; on one core a worker slows the answers down while it reads pictures or trains (give the "
            "machine or container another, raise its limit of cores, or start the worker elsewhere)"
        )
    if machine.memory < ENOUGH_MEMORY:
        lines.append(
            f"{ENOUGH_MEMORY / GIB:.0f} GB of memory or more; with {machine.memory / GIB:.1f} GB large encoders run in "
            "PyTorch's slower way (raise the machine's or container's memory, or `tagloom encoders use "
            "efficientnet-lite0 shipped`)"
        )
    if device != "cpu":
        return lines
    has = set(machine.instructions)
    if not has & {"avx2", "avx512_f"}:
        lines.append(
            f"a processor with AVX2 (Intel since 2013, AMD since 2015); {host}; till then `tagloom encoders use "
            "shipped ngrams` needs the least"
        )
    elif not has & set(INSTRUCTIONS[:2]):
        lines.append(
            "a processor that multiplies bfloat16 encodes about twice as fast (Intel since Sapphire Rapids, AMD since "
            f"Zen 4); {host}"
        )
    return lines

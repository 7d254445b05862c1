"""Train on the small shop, in this process or in several of this program, and write the weights.

python -m tests.model.training.process_group RANK COUNT MEETING_FILE OUT DEVICE BACKEND
"""

import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, distributed

from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import fit
from testing.shop import LABELS, SMALL

ITEMS, GOLD, FAMILIES = SMALL.pool(24)
PHASES = (Phase("base", 1, ("head",), 1e-2), Phase("refine", 2, PARTS, 1e-3))


def trained(device: str) -> dict[str, Tensor]:
    """Train without the dropout whose draws depend on a process's share and on the device; return the weights."""
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    network = {"width": 16, "dropout": 0.0}
    config = TrainConfig(seed=3, first=PHASES, device=device, network=network, batch=10)
    tagger = fit(cold, Problem(ITEMS, GOLD, FAMILIES), config)
    assert tagger.network is not None
    return dict(tagger.network.state_dict())


def train_in_processes(folder: Path, device: str, backend: str, count: int = 2) -> list[dict[str, Tensor]]:
    """Train in ``count`` processes; return the weights that each ended with."""
    program = [sys.executable, "-m", "tests.model.training.process_group"]
    common = [str(count), str(folder / "meeting"), str(folder), device, backend]
    started = [subprocess.Popen([*program, str(rank), *common]) for rank in range(count)]
    assert [process.wait(timeout=500) for process in started] == [0] * count
    return [load_file(folder / f"{rank}.safetensors") for rank in range(count)]


def main() -> None:
    rank, count, meeting, out, device, backend = sys.argv[1:]
    distributed.init_process_group(backend, init_method=f"file://{meeting}", rank=int(rank), world_size=int(count))
    save_file(trained(device), Path(out) / f"{rank}.safetensors")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()

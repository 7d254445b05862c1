"""Run as a program by the tests of several processes: trains on the small shop and writes the weights.

python -m tests.model.together RANK COUNT MEETING_FILE OUT DEVICE BACKEND
"""

import sys
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, distributed

from model.problem import Problem
from model.tagger import Tagger
from model.training.config import TrainConfig
from model.training.phases import PARTS, Phase
from model.training.progressive import fit
from tests.model.shop import LABELS, pool

ITEMS, GOLD, FAMILIES = pool(24)
PHASES = (Phase("base", 1, ("head",), 1e-2), Phase("refine", 2, PARTS, 1e-3))


def trained(device: str) -> dict[str, Tensor]:
    """Weights of a network trained without its own dropout, whose draws hang on a process's share and on the device."""
    cold = Tagger.cold_start(LABELS, space="space", seed=3, with_boxes=False)
    network = {"width": 16, "dropout": 0.0}
    config = TrainConfig(seed=3, first=PHASES, device=device, network=network, batch=10)
    tagger = fit(cold, Problem(ITEMS, GOLD, FAMILIES), config)
    assert tagger.network is not None
    return dict(tagger.network.state_dict())


def main() -> None:
    rank, count, meeting, out, device, backend = sys.argv[1:]
    distributed.init_process_group(backend, init_method=f"file://{meeting}", rank=int(rank), world_size=int(count))
    save_file(trained(device), Path(out) / f"{rank}.safetensors")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()

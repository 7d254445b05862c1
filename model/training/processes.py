"""The processes of one training under torch.distributed (torchrun).

Each process computes its share of every batch, and all take the same step. Without torch.distributed, the training has
one process, and nothing is exchanged.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Processes:
    """This process's number among the processes of the training, which counts from 0, and how many there are.

    processes = Processes.current()
    rows = processes.share(rows)
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> "Processes":
        """Return the processes that torch.distributed has started, or one alone."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def share(self, rows: Tensor) -> Tensor:
        """Return the rows that this process computes."""
        return rows[self.rank :: self.count]

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of ``values`` over all processes. It also replaces the values in the tensor."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def check_same(self, epochs_done: int) -> None:
        """Raise RuntimeError if the processes do not all continue after the same epoch.

        Otherwise they would add up gradients of different epochs.
        """
        if int(self.total(torch.tensor(epochs_done))) != epochs_done * self.count:
            raise RuntimeError(f"process {self.rank} goes on after epoch {epochs_done}, another after another one")

    def add_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradients by their sum over all processes."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.count == 1 or not gradients:
            return
        # One exchange for all gradients takes the place of one for each parameter.
        summed = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, torch.split(summed, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

"""The processes that train together, when torch.distributed has been started (torchrun): each takes its share of every
batch, and all take the same step. Alone, there is one process and nothing to exchange.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Processes:
    """``rank`` counts from 0."""

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> "Processes":
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def share(self, rows: Tensor) -> Tensor:
        """This process's rows."""
        return rows[self.rank :: self.count]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def check_same(self, epochs_done: int) -> None:
        """Raises RuntimeError when another process goes on after another epoch: their steps would not fit together."""
        if int(self.total(torch.tensor(epochs_done))) != epochs_done * self.count:
            raise RuntimeError(f"process {self.rank} goes on after epoch {epochs_done}, another after another one")

    def add_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Give every process the sum of all gradients."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.count == 1 or not gradients:
            return
        summed = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, torch.split(summed, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

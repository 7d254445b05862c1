"""The phases of a training: which epochs train which parts of the network, at which learning rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

PARTS = ("head", "attention", "projections")
"""The parts of the network, from its output to its input."""


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs that train the same parts of the network.

    Within a phase, the learning rate falls from ``learning_rate`` along half a cosine (Loshchilov and Hutter, 2017).

    Raises ValueError for an unknown part or less than one epoch.
    """

    name: str
    epochs: int
    trains: tuple[str, ...]
    learning_rate: float

    def __post_init__(self) -> None:
        unknown = set(self.trains) - set(PARTS)
        if unknown or self.epochs < 1:
            raise ValueError(
                f"phase {self.name!r}: epochs must be at least 1 and parts among {PARTS}, not {sorted(unknown)}"
            )


STUDY = (
    Phase("base", 5, ("head",), 1e-2),
    Phase("fusion", 10, ("head", "attention"), 3e-3),
    Phase("refine", 25, PARTS, 3e-3),
)
"""The phases of an untrained network: epochs 1-5, 6-15 and 16-40. Training the head first keeps the other parts from
being distorted by the errors of an untrained head (LP-FT, Kumar et al., 2022)."""

CONTINUATION = (
    Phase("base", 2, ("head",), 1e-2),
    Phase("fusion", 4, ("head", "attention"), 3e-3),
    Phase("refine", 10, PARTS, 2e-3),
)
"""The shorter phases of a network that has been trained before."""

ALL_AT_ONCE = (Phase("refine", 40, PARTS, 3e-3),)
"""All parts in all epochs, for the ablation of the phases."""


def epochs(phases: Sequence[Phase]) -> list[Phase]:
    """Return the phase of each epoch, with the epoch's learning rate."""
    return [
        replace(phase, learning_rate=phase.learning_rate * (1 + math.cos(math.pi * done / phase.epochs)) / 2)
        for phase in phases
        for done in range(phase.epochs)
    ]

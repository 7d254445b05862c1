"""The phases of a training: which epochs train which parts of the network, at which learning rate."""

from collections.abc import Sequence
from dataclasses import dataclass

PARTS = ("head", "attention", "projections")
"""The parts of the network, from its output to its input."""


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs that train the same parts of the network.

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
    Phase("refine", 15, PARTS, 1e-3),
)
"""The phases of an untrained network: epochs 1-5, 6-15 and 16-30. Training the head first keeps the other parts from
being distorted by the errors of an untrained head (LP-FT, Kumar et al., 2022)."""

CONTINUATION = (
    Phase("base", 2, ("head",), 1e-2),
    Phase("fusion", 4, ("head", "attention"), 3e-3),
    Phase("refine", 6, PARTS, 1e-3),
)
"""The shorter phases of a network that has been trained before."""

ALL_AT_ONCE = (Phase("refine", 30, PARTS, 1e-3),)
"""All parts in all epochs, for the ablation of the phases."""


def epochs(phases: Sequence[Phase]) -> list[Phase]:
    """Return the phase of each epoch."""
    return [phase for phase in phases for _ in range(phase.epochs)]

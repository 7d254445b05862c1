"""The progressive schedule, as data: which epochs train which parts at which learning rate."""

from collections.abc import Sequence
from dataclasses import dataclass

PARTS = ("head", "attention", "projections")


@dataclass(frozen=True)
class Phase:
    """Some epochs in a row that train the same parts of the network."""

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
"""Epochs 1-5, 6-15, 16-30 of the study. Head first keeps what frozen features know (LP-FT, Kumar et al., 2022)."""

CONTINUATION = (
    Phase("base", 2, ("head",), 1e-2),
    Phase("fusion", 4, ("head", "attention"), 3e-3),
    Phase("refine", 6, PARTS, 1e-3),
)
"""A shorter cycle for a tagger that has been trained before."""

ALL_AT_ONCE = (Phase("refine", 30, PARTS, 1e-3),)
"""No progression: for ablation."""


def epochs(phases: Sequence[Phase]) -> list[Phase]:
    """The phase of each epoch."""
    return [phase for phase in phases for _ in range(phase.epochs)]

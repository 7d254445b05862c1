"""What a learned part keeps in a checkpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class State:
    """Tensors by name, and facts that JSON can hold. The names of all parts of a tagger differ."""

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with ``prefix``, without it."""
        return {name.removeprefix(prefix): one for name, one in self.tensors.items() if name.startswith(prefix)}

    @classmethod
    def joined(cls, states: Iterable["State"]) -> "State":
        """Return one state that holds all of these."""
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {}
        for state in states:
            tensors |= state.tensors
            facts |= state.facts
        return cls(tensors, facts)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with ``prefix`` before their names; the inverse of `State.under`."""
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


class Part(Protocol):
    """A learned part of a tagger, which keeps itself."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, state: State) -> "Part | None":
        """Make the part again from the state of its tagger; None where the tagger had none."""

"""The state of a tagger's parts, which a checkpoint stores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class State:
    """Tensors by name, and facts by name that JSON can represent.

    No two parts of a tagger use the same name, so that all of them fit into one state.

        state = State(prefixed("industry.", {"gold_VK": gold_VK}), {"industries": paths})
        state.under("industry.")    # {"gold_VK": gold_VK}
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with ``prefix``, by their names without it."""
        return {name.removeprefix(prefix): one for name, one in self.tensors.items() if name.startswith(prefix)}

    @classmethod
    def joined(cls, states: Iterable["State"]) -> "State":
        """Return one state with the tensors and facts of all ``states``; a later state replaces equal names."""
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
    """A part of a tagger that can be stored: it gives its state, and can be made again from it."""

    def state(self) -> State:
        """Return the tensors and facts from which ``from_state`` makes the same part again."""
        ...

    @classmethod
    def from_state(cls, state: State) -> "Part | None":
        """Make the part again from the state of the whole tagger. Return None if the tagger had no such part."""

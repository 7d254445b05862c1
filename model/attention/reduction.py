"""Principal components of the frozen features: what the network sees of a region or a text segment.

A few hundred gold labels cannot teach a projection of thousands of columns, and the network's time goes with its width.
The components are found once on the pool without any label and frozen with the version. A pool without pictures, or
without texts, has nothing to find them on: that side's components are zeros, and the network hears nothing of it until
a pool in which it varies gives components anew.

Shape suffixes: C image width, E text width, P components, N rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.features.item import ItemFeatures
from model.state import State, prefixed

COMPONENTS = 96
ROWS = 6000
FINEST = torch.finfo(torch.float16).eps
"""Deviation of unit vectors up to which nothing varies: half precision, in which features are kept, does not show it.
Above it a projection is at most 2 / FINEST = 2,048 long, which half precision holds."""


@dataclass(frozen=True)
class Reduction:
    """Projections of unit vectors; components are scaled to unit variance of the first, so that layers see like
    inputs."""

    image_mean_C: Tensor
    image_CP: Tensor
    text_mean_E: Tensor
    text_EP: Tensor

    @classmethod
    def of(cls, items: Sequence[ItemFeatures], seed: int) -> "Reduction":
        """The components of these items' regions and tokens; of their further texts where no item has a token."""
        regions = [item.grid_RC for item in items if item.grid_RC.numel()] or [items[0].image_C[None]]
        tokens = [item.tokens_TE for item in items if item.tokens_TE.numel()] or _further_texts(items)
        return cls(
            *_components(_sample(regions, seed)),
            *_components(_sample(tokens or [items[0].title_E[None]], seed)),
        )

    def state(self) -> State:
        return State(prefixed("reduction.", vars(self)))

    @classmethod
    def from_state(cls, state: State) -> "Reduction | None":
        """The reduction whose ``state()`` this is; None where no network was trained."""
        tensors = state.under("reduction.")
        return cls(**tensors) if tensors else None

    def renewed(self, items: Sequence[ItemFeatures], seed: int) -> "Reduction":
        """This one, unless it was found where a picture or a text was missing that these items have: then a new one."""
        if _sees(self.image_CP) and _sees(self.text_EP):
            return self
        found = Reduction.of(items, seed)
        sides = (self.image_CP, found.image_CP), (self.text_EP, found.text_EP)
        return self if all(_sees(own) or torch.equal(own, new) for own, new in sides) else found

    def regions(self, rows_NC: Tensor) -> Tensor:
        """(…, P) of unit region vectors."""
        return (rows_NC - self.image_mean_C) @ self.image_CP

    def segments(self, rows_NE: Tensor) -> Tensor:
        """(…, P) of unit segment vectors."""
        return (rows_NE - self.text_mean_E) @ self.text_EP


def _further_texts(items: Sequence[ItemFeatures]) -> list[Tensor]:
    return [item.texts_E[name][None] for item in items for name, text in item.texts.items() if text.strip()]


def _sees(components_CP: Tensor) -> bool:
    """Whether something varied. Versions of before have scaled what did not vary by more than half precision holds."""
    return 0 < float(components_CP[:, 0].norm()) <= 1 / FINEST


def _sample(parts: Sequence[Tensor], seed: int) -> Tensor:
    each = max(1, ROWS // len(parts))
    generator = torch.Generator().manual_seed(seed)
    rows = [part[torch.randperm(len(part), generator=generator)[:each]].float() for part in parts]
    return normalize(torch.cat(rows)[: 2 * ROWS], dim=1)


def _components(rows_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and components, by the covariance's eigenvectors; zeros where nothing varies."""
    mean_C = rows_NC.mean(0)
    centred_NC = (rows_NC - mean_C).double()
    variance_C, vectors_CC = torch.linalg.eigh(centred_NC.T @ centred_NC / len(rows_NC))
    components_CP = vectors_CC.flip(1)[:, :COMPONENTS]
    scale = float(variance_C[-1].clamp(min=0).sqrt())
    seen_CP = components_CP / scale if scale > FINEST else torch.zeros_like(components_CP)
    return mean_C, seen_CP.float()

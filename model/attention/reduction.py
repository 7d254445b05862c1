"""Principal components of the encoders' features: the network's input for a region or a text segment.

A few hundred gold labels cannot train a projection of thousands of columns, and the network's time grows with the width
of its input. So the components are computed once, on the pool without any label, and stay the same for all versions
that follow. Where the pool has no pictures, or no texts, the components of that modality are zeros, and the network
does not see the modality. All components are computed anew once a pool has the modality.

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
# The components of each modality are computed on about this many regions or tokens.
ROWS = 6000
# Unit vectors with a smaller standard deviation count as equal: features are stored in half precision, which cannot
# show such differences. With a larger one, a projection is at most 2 / FINEST = 2,048 long, which half precision holds.
FINEST = torch.finfo(torch.float16).eps


@dataclass(frozen=True)
class Reduction:
    """Projections of the unit vectors of regions and text segments on their principal components.

    The first component has unit variance, so that the inputs of the network's layers have similar sizes.

        reduction = Reduction.of(pool, seed=7)
        region_RP = reduction.regions(normalize(item.grid_RC.float(), dim=1))
    """

    image_mean_C: Tensor
    image_CP: Tensor
    text_mean_E: Tensor
    text_EP: Tensor

    @classmethod
    def of(cls, items: Sequence[ItemFeatures], seed: int) -> "Reduction":
        """Return the components of these items' regions and tokens.

        Without any region, the pooled vector of the first item stands in. Without any token, further texts do, or else
        the title vector of the first item.
        """
        regions = [item.grid_RC for item in items if item.grid_RC.numel()] or [items[0].image_C[None]]
        tokens = [item.tokens_TE for item in items if item.tokens_TE.numel()]
        further = [item.texts_E[name][None] for item in items for name, text in item.texts.items() if text.strip()]
        texts = tokens or further or [items[0].title_E[None]]
        return cls(*_components(_sample(regions, seed)), *_components(_sample(texts, seed)))

    def state(self) -> State:
        return State(prefixed("reduction.", vars(self)))

    @classmethod
    def from_state(cls, state: State) -> "Reduction | None":
        """Make the reduction again from the tagger's ``state()``. Return None if no network was trained."""
        tensors = state.under("reduction.")
        return cls(**tensors) if tensors else None

    def renewed(self, items: Sequence[ItemFeatures], seed: int) -> "Reduction":
        """Return this reduction, or a new one where it lacks a modality in which these items vary."""
        if _sees(self.image_CP) and _sees(self.text_EP):
            return self
        found = Reduction.of(items, seed)
        sides = (self.image_CP, found.image_CP), (self.text_EP, found.text_EP)
        return self if all(_sees(own) or torch.equal(own, new) for own, new in sides) else found

    def regions(self, rows_NC: Tensor) -> Tensor:
        """Return the components (…, P) of unit vectors of regions."""
        return (rows_NC - self.image_mean_C) @ self.image_CP

    def segments(self, rows_NE: Tensor) -> Tensor:
        """Return the components (…, P) of unit vectors of text segments."""
        return (rows_NE - self.text_mean_E) @ self.text_EP


def _sees(components_CP: Tensor) -> bool:
    """Return whether the modality varied when the components were computed.

    The components are zeros if it did not. In older checkpoints they may be longer than half precision can hold.
    """
    return 0 < float(components_CP[:, 0].norm()) <= 1 / FINEST


def _sample(parts: Sequence[Tensor], seed: int) -> Tensor:
    """Return about ROWS unit vectors, the same number of each part, chosen by the seed."""
    each = max(1, ROWS // len(parts))
    generator = torch.Generator().manual_seed(seed)
    rows = [part[torch.randperm(len(part), generator=generator)[:each]].float() for part in parts]
    return normalize(torch.cat(rows)[: 2 * ROWS], dim=1)


def _components(rows_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the scaled eigenvectors of the covariance; zeros where the rows do not vary."""
    mean_C = rows_NC.mean(0)
    centred_NC = (rows_NC - mean_C).double()
    variance_C, vectors_CC = torch.linalg.eigh(centred_NC.T @ centred_NC / len(rows_NC))
    # Eigenvalues come in ascending order, and the smallest may be below 0 by rounding.
    components_CP = vectors_CC.flip(1)[:, :COMPONENTS]
    scale = float(variance_C[-1].clamp(min=0).sqrt())
    seen_CP = components_CP / scale if scale > FINEST else torch.zeros_like(components_CP)
    return mean_C, seen_CP.float()

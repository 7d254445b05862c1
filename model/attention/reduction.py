"""Principal components of the frozen features: what the network sees of a region or a text segment.

A few hundred gold labels cannot teach a projection of thousands of columns, and the network's time goes with its width.
The components are found once on the pool without any label and frozen with the version.

Shape suffixes: C image width, E text width, P components, N rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.features.item import ItemFeatures

COMPONENTS = 96
ROWS = 6000


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
        """The components of these items' regions and tokens."""
        regions = [item.grid_RC for item in items if item.grid_RC.numel()] or [items[0].image_C[None]]
        tokens = [item.tokens_TE for item in items if item.tokens_TE.numel()] or [items[0].title_E[None]]
        return cls(*_components(_sample(regions, seed)), *_components(_sample(tokens, seed)))

    def regions(self, rows_NC: Tensor) -> Tensor:
        """(…, P) of unit region vectors."""
        return (rows_NC - self.image_mean_C) @ self.image_CP

    def segments(self, rows_NE: Tensor) -> Tensor:
        """(…, P) of unit segment vectors."""
        return (rows_NE - self.text_mean_E) @ self.text_EP


def _sample(parts: Sequence[Tensor], seed: int) -> Tensor:
    each = max(1, ROWS // len(parts))
    generator = torch.Generator().manual_seed(seed)
    rows = [part[torch.randperm(len(part), generator=generator)[:each]].float() for part in parts]
    return normalize(torch.cat(rows)[: 2 * ROWS], dim=1)


def _components(rows_NC: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and components, by the covariance's eigenvectors."""
    mean_C = rows_NC.mean(0)
    centred_NC = (rows_NC - mean_C).double()
    variance_C, vectors_CC = torch.linalg.eigh(centred_NC.T @ centred_NC / len(rows_NC))
    scale = float(variance_C[-1].clamp(min=1e-12).sqrt())
    return mean_C, (vectors_CC.flip(1)[:, :COMPONENTS] / scale).float()

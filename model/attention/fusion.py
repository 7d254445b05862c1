"""Fusions of the modalities' vectors: the gate, and those that the literature compares it with.

Sources: Baltrušaitis et al., Multimodal Machine Learning, 2019; Arevalo et al., Gated Multimodal Units, 2017.

A fusion returns one or more vectors (voices) for each class, each with a weight (share). The head scores each voice.
The logit is the sum of the scores times the shares. A missing modality is a zero vector; where modalities have weights,
its weight is 0.

Shape suffixes: B batch, K classes, M modalities (picture, text, industry), D width, S voices.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MODALITIES = 3


@dataclass(frozen=True)
class Channels:
    """The modalities' vectors of a batch.

    ``asked_BKMD`` are the answers to each class's query, ``pooled_BMD`` the means, the same for all classes. Both are
    zero where a modality is missing (``there_BM`` is False).
    """

    asked_BKMD: Tensor
    pooled_BMD: Tensor
    there_BM: Tensor


@dataclass(frozen=True)
class Voices:
    """Vectors ``said_BKSD`` for each class, and their weights ``share_BKS``, which sum to at most 1 over the voices."""

    said_BKSD: Tensor
    share_BKS: Tensor


class Fusion(nn.Module, ABC):
    """Base class of the fusions.

    ``voices`` is the number of vectors that each class has; ``asks`` is whether the fusion needs class queries.

        fusion = make_fusion("gate", width=64)
        voices = fusion(channels)
    """

    voices = 1
    asks = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, channels: Channels) -> Voices:
        """Return the vectors for each class, and their weights."""


class Weighing(Fusion):
    """One voice: a weighted mean of the modalities that are not missing."""

    def forward(self, channels: Channels) -> Voices:
        share_BKM = shares(self.score(channels), channels.there_BM)
        return _alone((share_BKM[..., None] * channels.asked_BKMD).sum(2))

    @abstractmethod
    def score(self, channels: Channels) -> Tensor:
        """Return the scores (B, K, M) whose softmax over the modalities is the weight of each."""


class Average(Weighing):
    """The plain mean of the modalities that are not missing."""

    def score(self, channels: Channels) -> Tensor:
        return torch.zeros_like(channels.asked_BKMD[..., 0])


class WeightedAverage(Weighing):
    """A mean with one learned weight for each modality, the same for all items and classes."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weight_M = nn.Parameter(torch.zeros(MODALITIES))

    def score(self, channels: Channels) -> Tensor:
        return self.weight_M.expand(channels.asked_BKMD.shape[:3])


class Gate(Fusion):
    """One voice for each modality, scored by its own head; weights depend on each modality's vector."""

    voices = MODALITIES

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weigh = nn.Linear(width, 1)

    def forward(self, channels: Channels) -> Voices:
        score_BKM = self.weigh(channels.asked_BKMD)[..., 0]
        return Voices(channels.asked_BKMD, shares(score_BKM, channels.there_BM))


class Concatenation(Fusion):
    """One voice: the modalities side by side, mixed by one linear layer."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.mix = nn.Linear(MODALITIES * width, width)

    def forward(self, channels: Channels) -> Voices:
        return _alone(self.mix(channels.asked_BKMD.flatten(2)))


class Mlp(Fusion):
    """One voice: the modalities side by side, mixed by a perceptron with one hidden layer."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.mix = nn.Sequential(nn.Linear(MODALITIES * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, channels: Channels) -> Voices:
        return _alone(self.mix(channels.asked_BKMD.flatten(2)))


class Early(Fusion):
    """One voice: the pooled vectors side by side, mixed by one layer; the same vector for all classes."""

    asks = False

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.mix = nn.Linear(MODALITIES * width, width)

    def forward(self, channels: Channels) -> Voices:
        joint_BD = self.mix(channels.pooled_BMD.flatten(1))
        return _alone(joint_BD[:, None].expand(-1, channels.asked_BKMD.shape[1], -1))


class Late(Fusion):
    """One voice for each modality: each is scored by its own head, and the mean of the scores counts."""

    voices = MODALITIES

    def forward(self, channels: Channels) -> Voices:
        even_BKM = torch.zeros_like(channels.asked_BKMD[..., 0])
        return Voices(channels.asked_BKMD, shares(even_BKM, channels.there_BM))


class Hybrid(Fusion):
    """Early and late fusion together, each with half of the weight."""

    voices = MODALITIES + 1

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.early, self.late = Early(width), Late(width)

    def forward(self, channels: Channels) -> Voices:
        early, late = self.early(channels), self.late(channels)
        said_BKSD = torch.cat([early.said_BKSD, late.said_BKSD], dim=2)
        return Voices(said_BKSD, torch.cat([early.share_BKS, late.share_BKS], dim=2) / 2)


FUSIONS: dict[str, type[Fusion]] = {
    "gate": Gate,
    "average": Average,
    "weighted average": WeightedAverage,
    "concatenation": Concatenation,
    "MLP": Mlp,
    "early": Early,
    "late": Late,
    "hybrid": Hybrid,
}


def make_fusion(name: str, width: int) -> Fusion:
    """Return a new fusion of this name. Raises ValueError for an unknown name."""
    if name not in FUSIONS:
        raise ValueError(f"there is no fusion {name!r}: use one of {', '.join(FUSIONS)}")
    return FUSIONS[name](width)


def shares(score_BKM: Tensor, there_BM: Tensor) -> Tensor:
    """Return the softmax (B, K, M) over the modalities that are not missing; zeros where all are missing."""
    # A finite score for missing modalities: with -inf the softmax of an item without any modality would be NaN.
    mask_B1M = there_BM[:, None, :]
    return score_BKM.masked_fill(~mask_B1M, -1e4).softmax(-1) * mask_B1M


def _alone(said_BKD: Tensor) -> Voices:
    """Return one voice with all of the weight."""
    return Voices(said_BKD[:, :, None], torch.ones_like(said_BKD[:, :, None, 0]))

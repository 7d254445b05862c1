"""How what the channels say becomes one answer per class: the gate, and the fusions that the literature compares it
with (Baltrušaitis et al., Multimodal Machine Learning, 2019; Arevalo et al., Gated Multimodal Units, 2017).

A fusion makes one or more voices; the head scores each, and the scores count by the voices' shares. A modality that is
missing is zeros and has no share.

Shape suffixes: B batch, K classes, M modalities (picture, text, industry), D width, S voices.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MODALITIES = 3


@dataclass(frozen=True)
class Channels:
    """``asked_BKMD`` answers each class's question, ``pooled_BMD`` is the same for all; zeros where ``there_BM`` is
    False."""

    asked_BKMD: Tensor
    pooled_BMD: Tensor
    there_BM: Tensor


@dataclass(frozen=True)
class Voices:
    """``said_BKSD`` and ``share_BKS``, whose rows sum to at most 1."""

    said_BKSD: Tensor
    share_BKS: Tensor


class Fusion(nn.Module, ABC):
    """``voices`` says how many heads a class has; ``asks`` whether class queries are needed."""

    voices = 1
    asks = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, channels: Channels) -> Voices:
        """What each voice says to each class, and how much it counts."""


class Weighing(Fusion):
    """One voice: a weighted mean of the modalities that are there."""

    def forward(self, channels: Channels) -> Voices:
        share_BKM = shares(self.score(channels), channels.there_BM)
        return _alone((share_BKM[..., None] * channels.asked_BKMD).sum(2))

    @abstractmethod
    def score(self, channels: Channels) -> Tensor:
        """(B, K, M) before the softmax."""


class Average(Weighing):
    """The plain mean."""

    def score(self, channels: Channels) -> Tensor:
        return torch.zeros_like(channels.asked_BKMD[..., 0])


class WeightedAverage(Weighing):
    """One learned weight a modality, the same for all items and classes."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weight_M = nn.Parameter(torch.zeros(MODALITIES))

    def score(self, channels: Channels) -> Tensor:
        return self.weight_M.expand(channels.asked_BKMD.shape[:3])


class Gate(Weighing):
    """A weight by what each modality says of this item and class."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weigh = nn.Linear(width, 1)

    def score(self, channels: Channels) -> Tensor:
        score_BKM: Tensor = self.weigh(channels.asked_BKMD)[..., 0]
        return score_BKM


class Concatenation(Fusion):
    """The modalities side by side, mixed by one layer."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.mix = nn.Linear(MODALITIES * width, width)

    def forward(self, channels: Channels) -> Voices:
        return _alone(self.mix(channels.asked_BKMD.flatten(2)))


class Mlp(Fusion):
    """The modalities side by side, mixed by a perceptron with one hidden layer."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.mix = nn.Sequential(nn.Linear(MODALITIES * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, channels: Channels) -> Voices:
        return _alone(self.mix(channels.asked_BKMD.flatten(2)))


class Early(Fusion):
    """The pooled inputs side by side, before any class asks: one vector of the item for all classes."""

    asks = False

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.mix = nn.Linear(MODALITIES * width, width)

    def forward(self, channels: Channels) -> Voices:
        joint_BD = self.mix(channels.pooled_BMD.flatten(1))
        return _alone(joint_BD[:, None].expand(-1, channels.asked_BKMD.shape[1], -1))


class Late(Fusion):
    """Each modality decides by itself with a head of its own; the mean of those that are there counts."""

    voices = MODALITIES

    def forward(self, channels: Channels) -> Voices:
        even_BKM = torch.zeros_like(channels.asked_BKMD[..., 0])
        return Voices(channels.asked_BKMD, shares(even_BKM, channels.there_BM))


class Hybrid(Fusion):
    """Early and late at once: the joint vector is one more voice beside those of the modalities."""

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
    """Raises ValueError naming the fusions when there is none of this name."""
    if name not in FUSIONS:
        raise ValueError(f"there is no fusion {name!r}: use one of {', '.join(FUSIONS)}")
    return FUSIONS[name](width)


def shares(score_BKM: Tensor, there_BM: Tensor) -> Tensor:
    """(B, K, M) softmax over what is there; zeros where nothing is."""
    mask_B1M = there_BM[:, None, :]
    return score_BKM.masked_fill(~mask_B1M, -1e4).softmax(-1) * mask_B1M


def _alone(said_BKD: Tensor) -> Voices:
    return Voices(said_BKD[:, :, None], torch.ones_like(said_BKD[:, :, None, 0]))

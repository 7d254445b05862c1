"""How to train: every knob of a training, with the defaults that were measured best (docs/results.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.training.phases import CONTINUATION, STUDY, Phase


@dataclass(frozen=True)
class TrainConfig:
    """How to train one tagger.

    Args:
        seed: of every draw; the same seed and data give the same tagger.
        first: phases of a network that has never been trained.
        continuation: phases of a network that goes on from its parent's.
        batch: items of one step.
        weak_per_gold: items without gold in an epoch, for each item with gold.
        weak_weight: weight of a weak label's loss beside a gold label's 1, before its confidence and trust.
        logit_penalty: weight of the mean squared logit of the network, which holds it near zero.
        modality_dropout: share of items of which the network is shown no picture, no text or no industry.
        weight_decay: of AdamW.
        ema_decay: of the average of the weights, which is what gets published.
        device: where the network is trained: ``cpu``, ``cuda`` or ``cuda:1``.
        use_neighbours, use_industry, use_boxes: whether nearest gold, industry prior and boxes have an opinion.
        use_regression, use_network: whether these correct the label model.
        network: fields of `NetworkConfig` that differ from its defaults.
    """

    seed: int = 7
    first: tuple[Phase, ...] = STUDY
    continuation: tuple[Phase, ...] = CONTINUATION
    batch: int = 64
    weak_per_gold: float = 2.0
    weak_weight: float = 1.0
    logit_penalty: float = 0.2
    modality_dropout: float = 0.15
    weight_decay: float = 0.05
    ema_decay: float = 0.98
    device: str = "cpu"
    use_neighbours: bool = True
    use_industry: bool = True
    use_boxes: bool = True
    use_regression: bool = True
    use_network: bool = True
    network: Mapping[str, bool | int | float | str] = field(default_factory=dict)

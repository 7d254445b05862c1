"""The options of a training. The defaults were the best in measurements (docs/results.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.training.phases import CONTINUATION, STUDY, Phase


@dataclass(frozen=True)
class TrainConfig:
    """The options of one training.

    Args:
        seed: the seed of all random numbers. The same seed and data give the same tagger.
        first: the phases of a network that starts untrained.
        continuation: the phases of a network that continues from its parent's.
        batch: the number of items in one step.
        weak_per_gold: the number of items without gold in an epoch for each item with gold.
        weak_weight: the weight of a weak label's loss before its confidence and trust; a gold label's is 1.
        logit_penalty: the weight in the loss of the mean squared distance of the network's logits from its biases.
        modality_dropout: the share of items for which each modality (picture, text, industry, further text) is hidden
            from the network, independently of the others.
        weight_decay: the weight decay of AdamW.
        ema_decay: the decay of the exponential average of the weights, which is what serves.
        device: the device that the network is trained on: ``cpu``, ``cuda`` or ``cuda:1``.
        use_neighbours, use_industry, use_boxes: whether nearest gold, industry prior and boxes are sources.
        use_regression: whether the regression corrects the label model.
        use_blocks: whether it is learned which read blocks and regions show which labels (`model.attention.blocks`).
        use_network: whether the network's log-odds are averaged with those of the models before it.
        network: the fields of `NetworkConfig` that differ from its defaults.

        quick = TrainConfig(first=CONTINUATION, network={"width": 32})
    """

    seed: int = 7
    first: tuple[Phase, ...] = STUDY
    continuation: tuple[Phase, ...] = CONTINUATION
    batch: int = 64
    weak_per_gold: float = 1.0
    weak_weight: float = 1.0
    logit_penalty: float = 0.002
    modality_dropout: float = 0.3
    weight_decay: float = 0.05
    ema_decay: float = 0.98
    device: str = "cpu"
    use_neighbours: bool = True
    use_industry: bool = True
    use_boxes: bool = True
    use_regression: bool = True
    use_blocks: bool = True
    use_network: bool = True
    network: Mapping[str, bool | int | float | str] = field(default_factory=dict)

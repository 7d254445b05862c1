"""Why a tagger answers as it does about one item: what each part adds, and where its network looks.

Shape suffixes: K classes, R regions, T segments.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from model.attention.batching import GRID, kept_blocks
from model.features.item import ItemFeatures
from model.items import Prediction
from model.tagger import Tagger

FAINT = 0.02
"""A region with as much attention, the share of an even one, is fully coloured where none has more."""
LEAST_TEXT = 0.1
"""Of a class's attention, for a text to be told."""


@dataclass(frozen=True)
class Look:
    """Where one class looks: the strength of each region in [0, 1], row by row of a square grid, and texts with shares.

    ``picture`` is the sum of its attention on the regions, at most 1.
    """

    strengths: tuple[float, ...]
    picture: float
    texts: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Reason:
    """Why one label is given or not.

    Args:
        sources: what each source adds to the log-odds, the largest amount first.
        network: the probability by the attention network alone; None before one was trained.
        cues: the cues that fire: name, what each adds, and the read texts that meet it.
        look: None where there is no attention.
    """

    label: str
    probability: float
    threshold: float
    given: bool
    sources: tuple[tuple[str, float], ...]
    network: float | None
    cues: tuple[tuple[str, float, tuple[str, ...]], ...]
    look: Look | None


@dataclass(frozen=True)
class Explanation:
    """The answer to one item, and the reasons by label in the tagger's order."""

    prediction: Prediction
    reasons: tuple[Reason, ...]


def explain(tagger: Tagger, items: Sequence[ItemFeatures]) -> list[Explanation]:
    """Return the explanation of each item's answer, in order."""
    return [_explained(tagger, item) for item in items]


def _explained(tagger: Tagger, item: ItemFeatures) -> Explanation:
    (prediction,) = tagger.predict([item])
    weak = tagger.label_model.weak_labels(tagger.opinions([item]), tagger.correction([item]))
    network_K = torch.sigmoid(tagger.network_logits([item])[0]) if tagger.network is not None else None
    looks = _looks(tagger, item)
    fired = tagger.sources.cues.fired(item)
    reasons = [
        Reason(
            label=label,
            probability=prediction.probabilities[label],
            threshold=float(tagger.calibration.threshold_K[k]),
            given=label in prediction.labels,
            sources=tuple(weak.because(0, k)),
            network=None if network_K is None else float(network_K[k]),
            cues=tuple((name, weight, texts) for at, name, weight, texts in fired if at == k),
            look=looks[k] if looks else None,
        )
        for k, label in enumerate(tagger.labels)
    ]
    return Explanation(prediction, tuple(reasons))


def _looks(tagger: Tagger, item: ItemFeatures) -> list[Look]:
    """Return where each class looks; nothing before the first network."""
    attention = tagger.attention([item])
    if attention is None:
        return []
    looks = []
    for region_R, segment_T in zip(attention.regions_BKR[0], attention.segments_BKT[0], strict=True):
        strength_R = region_R / region_R.max().clamp(min=FAINT)
        shares = [(item.title, float(segment_T[0]))]
        blocks = enumerate(kept_blocks(item), start=1)
        shares += [(item.blocks[block].text, float(segment_T[place])) for place, block in blocks]
        told = sorted((one for one in shares if one[1] >= LEAST_TEXT and one[0]), key=lambda one: -one[1])
        strengths = tuple(round(value, 3) for value in strength_R.tolist()) if len(region_R) == GRID * GRID else ()
        looks.append(Look(strengths, float(region_R.sum()), tuple(told)))
    return looks

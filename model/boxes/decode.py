"""From the quality of candidates to the boxes of a picture, consistent with its tags; thresholds on held-out gold.

Shape suffixes: N candidates, K labels; 4 edges.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.boxes.forest import Floats
from model.boxes.nms import ious, suppress, to_box
from model.items import LabelledBox, PredictedBox

OVERLAP = 0.5
FAINTEST = 0.02
MOST = 30
CERTAIN = 0.9
IMPOSSIBLE = 0.1
TAG_POWER = 0.25
"""Measured on real pictures: at 1 an unsure tag costs more boxes than it saves, at 0 tags and boxes fall apart."""
HIT = 0.5
SCARCE = 8.0
"""So many gold boxes of a label weigh as much as the belief that the neutral threshold is right."""
NEUTRAL = 0.3


def decode(boxes_N4: Tensor, quality_NK: Floats, labels: Sequence[str]) -> list[PredictedBox]:
    """Boxes of each label after non-maximum suppression, best first, also the faint ones."""
    clash_NN = (ious(boxes_N4, boxes_N4) > OVERLAP).numpy()
    found = []
    for column, label in enumerate(labels):
        kept = suppress(clash_NN, quality_NK[:, column], FAINTEST)[:MOST]
        found += [PredictedBox(label, to_box(boxes_N4[row]), float(quality_NK[row, column])) for row in kept]
    return sorted(found, key=lambda box: -box.score)


def given(
    found: Sequence[PredictedBox], labels: Sequence[str], thresholds: Sequence[float], probabilities: Sequence[float]
) -> tuple[PredictedBox, ...]:
    """Those over their label's threshold and with a tag that is possible.

    The best box of a label whose tag is certain is given under the threshold too, unless it is worth next to nothing.
    """
    threshold = dict(zip(labels, thresholds, strict=True))
    certain = {label for label, probability in zip(labels, probabilities, strict=True) if probability >= CERTAIN}
    best = {label: next((box for box in found if box.label == label), None) for label in certain}
    possible = {label for label, probability in zip(labels, probabilities, strict=True) if probability >= IMPOSSIBLE}
    return tuple(
        box
        for box in found
        if box.label in possible
        and (box.score >= threshold[box.label] or (box is best.get(box.label) and box.score >= NEUTRAL / 2))
    )


def tagged(quality_NK: Floats, probabilities_K: Tensor) -> Floats:
    """Quality under the picture's tags: a box counts less, the less likely its tag is."""
    weighted: Floats = quality_NK * probabilities_K.numpy().astype(np.float32) ** TAG_POWER
    return weighted


def best_thresholds(
    found: Sequence[Sequence[PredictedBox]], gold: Sequence[Sequence[LabelledBox]], labels: Sequence[str]
) -> Tensor:
    """The threshold of each label with the best F1 at overlap 0.5, moved towards neutral where gold is scarce (K,)."""
    return torch.tensor([_best_threshold(found, gold, label) for label in labels], dtype=torch.float32)


def _best_threshold(
    found: Sequence[Sequence[PredictedBox]], gold: Sequence[Sequence[LabelledBox]], label: str
) -> float:
    scored = [pair for boxes, entries in zip(found, gold, strict=True) for pair in _hits(boxes, entries, label)]
    total = sum(entry.label == label for entries in gold for entry in entries)
    if not total or not scored:
        return NEUTRAL
    scores, hits = (np.array(values, dtype=np.float64) for values in zip(*sorted(scored, reverse=True), strict=True))
    f1 = 2 * np.cumsum(hits) / (np.arange(1, len(hits) + 1) + total)
    best = int(f1.argmax())
    below = scores[best + 1] if best + 1 < len(scores) else 0.0
    trust = total / (total + SCARCE)
    return float(trust * (scores[best] + below) / 2 + (1 - trust) * NEUTRAL)


def _hits(found: Sequence[PredictedBox], gold: Sequence[LabelledBox], label: str) -> list[tuple[float, bool]]:
    """Score of each box of a label and whether it takes a gold box, best first."""
    free = [entry.box for entry in gold if entry.label == label]
    pairs = []
    for detection in (box for box in found if box.label == label):
        best = max(free, key=detection.box.iou, default=None)
        hit = best is not None and detection.box.iou(best) >= HIT
        if best is not None and hit:
            free.remove(best)
        pairs.append((detection.score, hit))
    return pairs

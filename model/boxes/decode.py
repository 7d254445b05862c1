"""From the quality of candidates to the boxes of a picture, consistent with its tags.

Two notions are kept apart. *Found* are all scored readings, which average precision is measured on (``decode``).
*Given* is what an annotator is shown: at most one reading of an element, over a threshold that is chosen by the seconds
it leaves to correct, on held-out gold (``given``, ``best_thresholds``).

Shape suffixes: N candidates, K labels; 4 edges.
"""

from collections.abc import Sequence, Set

import numpy as np
import torch
from torch import Tensor

from model.boxes.effort import effort
from model.boxes.forest import Floats
from model.boxes.metrics import GoldPicture
from model.boxes.nms import areas, intersections, ious, suppress, to_box, to_tensor
from model.items import LabelledBox, PredictedBox

OVERLAP = 0.5
FAINTEST = 0.02
MOST = 30
IMPOSSIBLE = 0.1
NESTED = 0.5
OWED = 1.01
"""Scores are rounded."""
NEUTRAL = 0.15
"""Both chosen by the effort on real pictures and samples; either half of the products chooses the same threshold
(docs/results.md)."""
LEVELS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
SCARCE = 50.0
"""So many gold boxes of a label weigh as much as the belief that the neutral threshold is right: with 8, forty boxes of
a label moved it to noise (effort saved on real pictures .614 instead of .624)."""
MOST_JUDGED = 400
"""Gold pictures that thresholds are chosen on, at most."""


def decode(boxes_N4: Tensor, quality_NK: Floats, labels: Sequence[str]) -> list[PredictedBox]:
    """Boxes of each label after non-maximum suppression, best first, also the faint ones."""
    clash_NN = (ious(boxes_N4, boxes_N4) > OVERLAP).numpy()
    found = []
    for column, label in enumerate(labels):
        kept = suppress(clash_NN, quality_NK[:, column], FAINTEST)[:MOST]
        found += [PredictedBox(label, to_box(boxes_N4[row]), float(quality_NK[row, column])) for row in kept]
    return sorted(found, key=lambda box: -box.score)


def given(
    found: Sequence[PredictedBox],
    labels: Sequence[str],
    thresholds: Sequence[float],
    probabilities: Sequence[float],
    tags: Set[str] = frozenset(),
) -> tuple[PredictedBox, ...]:
    """What is shown: those over their label's threshold, with a tag that is possible, and not within a better one.

    The best box of a label whose tag is given (``tags``) is shown under the threshold too. That is all that tags have
    to say: weighing boxes by their tags' probabilities made boxes and effort worse
    (docs/decisions/0030-boxes-and-tags.md).
    """
    threshold = dict(zip(labels, thresholds, strict=True))
    first = [next((box for box in found if box.label == label), None) for label in tags]
    possible = {label for label, probability in zip(labels, probabilities, strict=True) if probability >= IMPOSSIBLE}
    wanted = [box for box in found if box.label in possible and (box.score >= threshold[box.label] or box in first)]
    shown = [box for label in labels for box in apart([box for box in wanted if box.label == label])]
    return tuple(sorted(shown, key=lambda box: -box.score))


def apart(found: Sequence[PredictedBox]) -> list[PredictedBox]:
    """Boxes of one label, best first, without further readings of an element that a better one shows.

    A further reading shares most of the smaller area with the better one, or has no more score than it owes to the
    overlap: a second element is told by a score of its own. Somebody who corrects boxes needs one reading of an
    element; average precision is measured on all readings.
    """
    edges_N4 = to_tensor([box.box for box in found])
    smaller_NN = torch.minimum(areas(edges_N4)[:, None], areas(edges_N4)[None]).clamp(min=1e-9)
    scores_N = np.array([box.score for box in found], dtype=np.float64)
    nested_NN = (intersections(edges_N4, edges_N4) / smaller_NN > NESTED).numpy()
    owed_NN = scores_N <= OWED * scores_N[:, None] * ious(edges_N4, edges_N4).numpy()  # of the column to the row
    return [found[row] for row in suppress(nested_NN | owed_NN, scores_N)]


def best_thresholds(
    found: Sequence[Sequence[PredictedBox]],
    gold: Sequence[Sequence[LabelledBox]],
    labels: Sequence[str],
    *,
    unknown: Sequence[Set[str]] | None = None,
) -> Tensor:
    """The threshold of each label that leaves least to correct, moved towards neutral where gold is scarce (K,).

    Pictures that may have more gold boxes of a label than are known (``unknown``) have no say in its threshold.
    """
    pairs = list(zip(found, gold, unknown or [frozenset[str]()] * len(found), strict=True))
    known = {label: [(boxes, drawn) for boxes, drawn, open_ in pairs if label not in open_] for label in labels}
    return torch.tensor([_best_threshold(known[label], label) for label in labels], dtype=torch.float32)


def _best_threshold(pairs: Sequence[tuple[Sequence[PredictedBox], Sequence[LabelledBox]]], label: str) -> float:
    wanted = [GoldPicture(tuple(entry for entry in gold if entry.label == label)) for _, gold in pairs]
    total = sum(len(picture.boxes) for picture in wanted)
    if not total:
        return NEUTRAL
    own = [apart([box for box in boxes if box.label == label]) for boxes, _ in pairs]
    seconds = [
        effort([[box for box in boxes if box.score >= level] for boxes in own], wanted).seconds for level in LEVELS
    ]
    trust = total / (total + SCARCE)
    return trust * LEVELS[int(np.argmin(seconds))] + (1 - trust) * NEUTRAL
